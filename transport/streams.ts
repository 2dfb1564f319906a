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
> &
  Partial<Pick<StreamConfig, 'discard_new_per_subject'>>;

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

const QUEUES = {
  jobs: { subjects: 'job.*.*', description: 'jobs of Shoal that wait for a scheduler', max_bytes: 64 * MIB },
} as const;

const BUCKET_BYTES = 16 * MIB;
/** Buckets that hold more than a few entries for each scheduler and partition; days after which an entry goes, where it does. */
const LARGE_BUCKETS: Readonly<Record<string, { readonly bytes: number; readonly days: number }>> = {
  jobs: { bytes: 128 * MIB, days: 0 },
  'job-hosts': { bytes: 256 * MIB, days: 30 },
};

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

/** What a work queue has to look like: a message of each subject at most, gone once it is dealt with. */
export function queueConfig(swarm: string, queue: keyof typeof QUEUES): StreamDeclaration {
  const { subjects, ...bounds } = QUEUES[queue];
  return {
    name: streamName(swarm, queue),
    subjects: [`${swarmPrefix(swarm)}${subjects}`],
    retention: RetentionPolicy.Workqueue,
    storage: StorageType.File,
    discard: DiscardPolicy.New,
    discard_new_per_subject: true,
    max_msgs_per_subject: 1,
    max_age: 0,
    allow_direct: false,
    allow_rollup_hdrs: false,
    ...bounds,
  };
}

/** Whether the name is one of the work queues of Shoal. */
export function isQueue(name: string): name is keyof typeof QUEUES {
  return Object.hasOwn(QUEUES, name);
}

/** Whether the name is one of the streams of Shoal. */
export function isStream(name: string): name is keyof typeof STREAMS {
  return Object.hasOwn(STREAMS, name);
}

/** The stream behind a key-value bucket, laid out as every NATS client lays it out. */
export function bucketConfig(swarm: string, bucket: string): StreamDeclaration {
  const name = bucketName(swarm, bucket);
  const { bytes, days } = LARGE_BUCKETS[bucket] ?? { bytes: BUCKET_BYTES, days: 0 };
  return {
    name: `KV_${name}`,
    description: `the ${bucket} of Shoal`,
    subjects: [`$KV.${name}.>`],
    retention: RetentionPolicy.Limits,
    storage: StorageType.File,
    discard: DiscardPolicy.New,
    max_msgs_per_subject: 1,
    max_bytes: bytes,
    max_age: days * DAY_NANOS,
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
