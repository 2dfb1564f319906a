import { DiscardPolicy, RetentionPolicy, StorageType, type StreamConfig } from '@nats-io/jetstream';
import { swarmPrefix } from './address.ts';

const MIB = 1024 * 1024;
const DAY_NANOS = 24 * 3600 * 1e9;

/** The part of a stream's configuration that Shoal declares; what operators set beside it (replicas, placement) stays. */
export type StreamDeclaration = Required<
  Pick<
    StreamConfig,
    | 'name'
    | 'description'
    | 'subjects'
    | 'retention'
    | 'storage'
    | 'discard'
    | 'max_msgs_per_subject'
    | 'max_bytes'
    | 'max_age'
    | 'allow_direct'
    | 'allow_rollup_hdrs'
  >
>;

const STREAMS = {
  tasks: {
    subjects: 'log.>',
    description: 'the task log of Shoal',
    max_bytes: 512 * MIB,
    max_age: 30 * DAY_NANOS,
  },
  deliveries: {
    subjects: 'delivery.>',
    description: 'what Shoal delivered to whom',
    max_bytes: 128 * MIB,
    max_age: 7 * DAY_NANOS,
  },
  audit: {
    subjects: 'audit.>',
    description: 'who changed what through the HTTP API of Shoal',
    max_bytes: 64 * MIB,
    max_age: 90 * DAY_NANOS,
  },
} as const;

const BUCKET_BYTES = 16 * MIB;

/** Name of a stream on the server: several swarms share one NATS. */
export function streamName(swarm: string, stream: string): string {
  return `${swarm}-${stream}`;
}

/** Name of a bucket on the server, as the NATS tools know it. */
export function bucketName(swarm: string, bucket: string): string {
  return `${swarm}-${bucket}`;
}

/** What a stream of the table has to look like: the last message of each subject, bounded by age and bytes. */
export function streamConfig(swarm: string, stream: keyof typeof STREAMS): StreamDeclaration {
  const { subjects, ...bounds } = STREAMS[stream];
  return {
    name: streamName(swarm, stream),
    subjects: [`${swarmPrefix(swarm)}${subjects}`],
    retention: RetentionPolicy.Limits,
    storage: StorageType.File,
    discard: DiscardPolicy.Old,
    max_msgs_per_subject: 1,
    allow_direct: true,
    allow_rollup_hdrs: false,
    ...bounds,
  };
}

/** Whether the name is one of the streams of Shoal. */
export function isStream(name: string): name is keyof typeof STREAMS {
  return Object.hasOwn(STREAMS, name);
}

/** The stream behind a key-value bucket, laid out as every NATS client lays it out. */
export function bucketConfig(swarm: string, bucket: string): StreamDeclaration {
  const name = bucketName(swarm, bucket);
  return {
    name: `KV_${name}`,
    description: `the ${bucket} of Shoal`,
    subjects: [`$KV.${name}.>`],
    retention: RetentionPolicy.Limits,
    storage: StorageType.File,
    discard: DiscardPolicy.New,
    max_msgs_per_subject: 1,
    max_bytes: BUCKET_BYTES,
    max_age: 0,
    allow_direct: true,
    allow_rollup_hdrs: true,
  };
}

/** Whether the server's configuration lacks something of the declared one. */
export function drifted(declared: StreamDeclaration, actual: StreamConfig): boolean {
  const there = new Map<string, unknown>(Object.entries(actual));
  return Object.entries(declared).some(([key, value]) => {
    // The server leaves out what is false or 0.
    const absent = typeof value === 'boolean' ? false : typeof value === 'number' ? 0 : undefined;
    return JSON.stringify(there.get(key) ?? absent) !== JSON.stringify(value);
  });
}
