import { z } from 'zod';
import { auditSchema } from './audit.ts';
import { bytesBySourceSchema as bytesBySource, deliverySourceSchema } from './delivery.ts';
import { JOB_KINDS, jobProgressSchema } from './jobs.ts';
import { REGISTRY_FAULTS } from './registry-check.ts';
import { failureReasonSchema } from './sync-messages.ts';
import { timeSpentSchema } from './time-spent.ts';

const taskId = z.string().describe('task id');
const hostId = z.string().describe('host id');
const error = z.object({ code: z.string(), message: z.string() });

const jobEvent = z.object({
  jobId: z.string(),
  kind: z.enum(JOB_KINDS),
  progress: jobProgressSchema,
  error: error.optional(),
});

/**
 * Every event, by type; the public face of Shoal. `id` names what it happened to (last token of its subject).
 * docs/EVENTS.md is generated from this table.
 */
export const EVENTS = {
  'task.created': {
    about: 'A scheduler learnt of a task and its length.',
    data: z.object({ taskId, length: z.int().optional(), sources: z.array(z.string()) }),
  },
  'task.failed': {
    about: 'No source of a task can be read, or none agrees with its digest.',
    data: z.object({ taskId, error }),
  },
  'task.retired': {
    about: 'Nobody has asked for a task for a while; its scheduler forgot all but the log.',
    data: z.object({ taskId }),
  },
  'task.evicted': {
    about: 'A host removed a task from its cache, to make room or because it was told to.',
    data: z.object({ taskId, hostId }),
  },
  'source.banned': {
    about: 'A source gave content that contradicts the digest; it is not read again for it.',
    data: z.object({ taskId, source: z.string() }),
  },
  'peer.joined': {
    about: 'A host began to fetch a task.',
    data: z.object({ taskId, hostId }),
  },
  'peer.completed': {
    about: 'A host has all of a task, verified.',
    data: z.object({
      taskId,
      hostId,
      length: z.int(),
      bytes: bytesBySource,
      durationMs: z.number(),
      originReasons: z.record(z.string(), z.int()).describe('bytes from the origin, by reason'),
      time: timeSpentSchema.optional().describe('ms by what they went to; `durationMs` in all'),
      linkBytesPerSec: z.number().describe('the most that the host was seen to receive; 0 while unknown'),
      sources: z
        .array(deliverySourceSchema)
        .describe('what each source gave, how long it took and what failed; 16 of them, the rest together'),
    }),
  },
  'peer.failed': {
    about: 'A host gave a task up.',
    data: z.object({ taskId, hostId, error }),
  },
  'peer.adrift': {
    about:
      'No scheduler answers a host, or none that it believes; it carries on with the hosts it knows, and the origin.',
    data: z.object({ taskId, hostId, why: z.enum(['silent', 'refused-epoch']) }),
  },
  'peer.starved': {
    about: 'A scheduler answers, and nothing comes: a host reads the origin for what it lacks.',
    data: z.object({
      taskId,
      hostId,
      why: z.enum(['starved', 'unreachable']),
      parents: z.array(z.string()).describe('hosts that were to give pieces and cannot be got at from there'),
    }),
  },
  'peer.fed': {
    about: 'What a scheduler leases comes again to a host that went to the origin for want of it.',
    data: z.object({ taskId, hostId }),
  },
  'peer.recovered': {
    about: 'A scheduler answers a host again.',
    data: z.object({ taskId, hostId }),
  },
  'piece.rejected': {
    about:
      'Bytes from a parent did not have the hash they should; they were not kept, and the parent is avoided.',
    data: z.object({ taskId, hostId, parent: z.string(), piece: z.int() }),
  },
  'piece.damaged': {
    about:
      'A piece on the disk of a host is not what was recorded. It was given to nobody, and is fetched anew.',
    data: z.object({ taskId, hostId, piece: z.int() }),
  },
  'piece.failed': {
    about: 'A transfer of pieces failed and is tried elsewhere. Off unless piece events are asked for.',
    data: z.object({ taskId, hostId, parent: z.string(), piece: z.int(), reason: failureReasonSchema }),
  },
  'piece.verified': {
    about: 'A piece arrived and has its hash. Off unless piece events are asked for.',
    data: z.object({ taskId, hostId, parent: z.string(), piece: z.int() }),
  },
  'preheat.ended': {
    about: 'A host has fetched all it was ordered to by `shoal preheat`, or given up on some of it.',
    data: z.object({
      jobId: z.string().describe('one for all hosts of a preheat'),
      hostId,
      items: z.int().describe('how many it was to fetch'),
      failed: z.int().describe('how many of them it could not'),
      bytes: bytesBySource,
      durationMs: z.number(),
      errors: z
        .array(z.object({ resource: z.string(), code: z.string(), message: z.string() }))
        .describe('the first ten'),
    }),
  },
  'job.accepted': { about: 'A job was accepted, once.', data: jobEvent },
  'job.progressed': { about: 'A job has come further; at most once a second.', data: jobEvent },
  'job.succeeded': {
    about: 'A job is over, and every host has what it was to have; a pin: its date has come.',
    data: jobEvent,
  },
  'job.failed': { about: 'A job is over, and not all of it came to be.', data: jobEvent },
  'job.cancelled': { about: 'A job was ended before its time: nothing of it goes on.', data: jobEvent },
  'image.pulled': {
    about:
      "A client's pull through the mirror of a host is over: what it asked of one repository, until it was quiet for 3 s.",
    data: z.object({
      hostId,
      client: z.string().describe('address of the client'),
      registry: z.string(),
      repository: z.string(),
      reference: z.string().optional().describe('the tag, where one was asked for'),
      digest: z.string().optional().describe('of the first manifest'),
      blobs: z.int().describe('blobs that were given'),
      bytes: bytesBySource.describe('where the content came from: origin, peers, local'),
      originReasons: z.record(z.string(), z.int()).describe('bytes from the origin, by reason'),
      sentBytes: z.int().describe('bytes given to the client'),
      durationMs: z.number(),
      time: timeSpentSchema.describe('ms by what they went to; `durationMs` in all'),
      outcome: z.enum(['complete', 'failed']),
      error: error.optional().describe('what did not come in the end'),
    }),
  },
  'registry.failed': {
    about:
      'A host refuses a registry, or cannot reach it: pulls go around Shoal, or fail. Told once, and again each hour.',
    data: z.object({
      hostId,
      registry: z.string().describe('as clients name it'),
      url: z.string().describe('where the host asks'),
      fault: z.enum(REGISTRY_FAULTS),
      why: z.string(),
      fix: z.string().describe('what mends it'),
      times: z.int().describe('questions that failed since it last answered'),
    }),
  },
  'registry.recovered': {
    about: 'A registry answers a host again.',
    data: z.object({ hostId, registry: z.string(), url: z.string() }),
  },
  'host.announced': {
    about: 'A host joined the swarm, or came back with a new incarnation.',
    data: z.object({ hostId, ip: z.string(), port: z.int(), role: z.string(), zone: z.string().optional() }),
  },
  'host.isolated': {
    about: 'A host lost NATS; it carries on alone. Published when NATS is back.',
    data: z.object({ hostId, isolatedMs: z.number() }),
  },
  'host.lost': {
    about: 'A host has not been heard of for several seconds.',
    data: z.object({ hostId }),
  },
  'scheduler.refused': {
    about:
      'A host does not believe a scheduler: its epoch is older than one accepted, or a day ahead of its clock.',
    data: z.object({
      hostId,
      epoch: z.int(),
      against: z.int().describe('the larger epoch accepted, or the clock of the host in ms'),
      why: z.enum(['older', 'ahead']),
    }),
  },
  'api.changed': {
    about: 'Somebody changed something through the HTTP API, or tried to; or made or revoked a token of it.',
    data: auditSchema.omit({ atMs: true }),
  },
  'host.drained': {
    about: 'A host left in good order.',
    data: z.object({ hostId }),
  },
} as const;

export type EventType = keyof typeof EVENTS;
export type EventData<T extends EventType> = z.infer<(typeof EVENTS)[T]['data']>;

/** Something that happened, on its way out. `hostId` is the host or scheduler that says so. */
export interface ShoalEvent<T extends EventType = EventType> {
  readonly type: T;
  /** What it happened to: a task id or a host id; the last token of the subject. */
  readonly id: string;
  readonly data: EventData<T>;
}

/** Publishes events; never throws, and drops them while disconnected. */
export type Emit = <T extends EventType>(type: T, id: string, data: EventData<T>) => void;
