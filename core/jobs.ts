import { createHash } from 'node:crypto';
import { z } from 'zod';
import { bytesBySourceSchema } from './delivery.ts';
import { PARTITIONS, type Partition } from './ids.ts';
import { isJobWord } from './job-words.ts';
import { labelsSchema } from './labels.ts';
import { hostId, uint } from './message-fields.ts';

/*
 * A job: hosts are to have content, to keep it, or to give it up. It is accepted once, worked on by a scheduler, taken up
 * by another where that one dies, and answers for every host. No credentials are in any of this.
 */

/** What a job does: brings content to hosts, removes it, or keeps so many copies of it until a date. */
export const JOB_KINDS = ['preheat', 'evict', 'pin'] as const;
export type JobKind = (typeof JOB_KINDS)[number];

/** `running` is also a pin that holds and a schedule that fires. The last three are ends. */
export const JOB_STATES = ['accepted', 'running', 'succeeded', 'failed', 'cancelled'] as const;
export type JobState = (typeof JOB_STATES)[number];

/** What a job may hold at most. */
export const JOB_BOUNDS = {
  words: 256,
  /** Characters of all words. */
  wordChars: 48 * 1024,
  /** Images and other things that the words stand for. */
  resolved: 512,
  names: 256,
  headers: 32,
  copies: 1_000,
  concurrency: 10_000,
  /** Rows in one answer, and jobs in one. */
  page: 100,
  /** Characters of a text of an error. */
  errorChars: 300,
} as const;

/** 32 hex digits, made of the idempotency key. */
export const jobId = z.string().regex(/^[0-9a-f]{32}$/, 'not a job id');
/** A job id or the beginning of one, where no other job begins so. */
export const jobIdStart = z.string().regex(/^[0-9a-f]{4,32}$/, 'not a job id, nor the beginning of one');

/** Which hosts a job is for; all that is said must fit. Nothing said: the seeds, or one host where there is none. */
export const jobTargetsSchema = z.strictObject({
  role: z.enum(['seed', 'normal', 'any']).optional().describe('seeds, other hosts, or any'),
  zone: z.string().min(1).max(128).optional(),
  labels: labelsSchema.optional().describe('all of them must be on the host'),
  names: z
    .array(z.string().min(1).max(253))
    .min(1)
    .max(JOB_BOUNDS.names)
    .optional()
    .describe('host ids (their beginning will do), addresses, names of machines'),
  count: z.int().min(1).max(1_000_000).optional().describe('that many of them, at random'),
  percent: z.number().gt(0).max(100).optional().describe('that part of them, at random'),
});
export type JobTargets = z.infer<typeof jobTargetsSchema>;

/** When a job is to be done again and again. */
export const jobScheduleSchema = z.strictObject({
  cron: z.string().min(1).max(200).describe('five fields, as crontab has them: 0 3 * * *'),
  timeZone: z.string().min(1).max(64).optional().describe('as Europe/Berlin; UTC where absent'),
});
export type JobSchedule = z.infer<typeof jobScheduleSchema>;

/** What a pin keeps. */
export const jobPinSchema = z.strictObject({
  copies: z.int().min(1).max(JOB_BOUNDS.copies).default(1).describe('hosts that are to hold all of it'),
  zones: z.int().min(1).max(JOB_BOUNDS.copies).optional().describe('in that many zones at least'),
  untilMs: uint.optional().describe('wall-clock ms; absent: until it is cancelled'),
});
export type JobPin = z.infer<typeof jobPinSchema>;

/** What is asked for. */
export const jobRequestSchema = z
  .strictObject({
    kind: z.enum(JOB_KINDS),
    what: z
      .array(z.string().min(1).max(4096).refine(isJobWord, 'not an image, a URL, a digest or a task id'))
      .min(1)
      .max(JOB_BOUNDS.words)
      .refine((words) => words.join('').length <= JOB_BOUNDS.wordChars, 'too long in all')
      .describe('images (with * or ? in the tag: all tags that fit), http(s) URLs, digests, task ids'),
    targets: jobTargetsSchema.default({}),
    platform: z
      .string()
      .min(1)
      .max(100)
      .optional()
      .describe('of images: linux/arm64, or all; absent: that of the host which looks the image up'),
    concurrency: z
      .int()
      .min(1)
      .max(JOB_BOUNDS.concurrency)
      .optional()
      .describe('hosts at work at once; absent: all'),
    priority: z.int().min(0).max(9).default(5).describe('hosts do those of a higher one first'),
    pin: jobPinSchema.optional().describe('of kind pin alone'),
    schedule: jobScheduleSchema.optional().describe('do it at these times, each a job of its own'),
    headersKeptBy: z
      .string()
      .regex(/^[A-Za-z0-9_-]{1,200}$/)
      .optional()
      .describe('the bus name of whoever keeps headers for it in memory'),
  })
  .refine(({ kind, pin }) => pin === undefined || kind === 'pin', 'pin: only for a job of kind pin')
  .refine(
    ({ schedule, headersKeptBy }) => schedule === undefined || headersKeptBy === undefined,
    'headers are kept in memory alone: a schedule cannot have them',
  )
  .refine(({ kind, schedule }) => kind !== 'pin' || schedule === undefined, 'a pin has no schedule');
export type JobRequest = z.infer<typeof jobRequestSchema>;
/** A request as it may be written, without what has a default. */
export type JobRequestInput = z.input<typeof jobRequestSchema>;

/** An error of a job, of one of its hosts or of one thing there. */
export const jobErrorSchema = z.object({
  code: z.string().max(64),
  message: z.string().max(JOB_BOUNDS.errorChars),
});
export type JobError = z.infer<typeof jobErrorSchema>;

/** How far a job is, over all its hosts. */
export const jobProgressSchema = z.object({
  /** Hosts that are meant; those that have ended well, and badly. */
  hosts: uint,
  succeeded: uint,
  failed: uint,
  /** Bytes that the hosts were to have, as far as they know them; and those that are there (of an evict: freed). */
  length: uint,
  doneBytes: uint,
  bytes: bytesBySourceSchema,
});
export type JobProgress = z.infer<typeof jobProgressSchema>;

/** All that is known of a job but its hosts. */
export const jobRecordSchema = z.object({
  id: jobId,
  kind: z.enum(JOB_KINDS),
  state: z.enum(JOB_STATES),
  request: jobRequestSchema,
  /** Who asked, as NATS knows him. */
  by: z.string().max(200),
  /** The schedule whose job this is. */
  parent: jobId.optional(),
  /** Wall-clock ms, as all times here. */
  createdAtMs: uint,
  startedAtMs: uint.optional(),
  endedAtMs: uint.optional(),
  /** How often a scheduler began to work on it. */
  attempt: uint,
  /** Somebody asked for its end, which has not come yet. */
  cancelling: z.boolean(),
  /** What the words named at its start: images by digest, URLs, digests. */
  resolved: z.array(z.string().max(8192)).max(JOB_BOUNDS.resolved).optional(),
  /** Things that each host is to have. */
  items: uint.optional(),
  progress: jobProgressSchema,
  /** Why it failed, or what keeps a pin from what it is to be. */
  error: jobErrorSchema.optional(),
  schedule: z
    .object({ nextAtMs: uint.optional(), lastAtMs: uint.optional(), lastJob: jobId.optional(), fired: uint })
    .optional(),
});
export type JobRecord = z.infer<typeof jobRecordSchema>;

/** How a job stands on one host. */
export const jobHostSchema = z.object({
  hostId,
  name: z.string().max(253).optional(),
  ip: z.string().max(64),
  zone: z.string().max(128).optional(),
  /** `pinned`: it holds what a pin keeps there. `lost`: a pin was there, and the host is gone. */
  state: z.enum(['waiting', 'running', 'succeeded', 'failed', 'cancelled', 'pinned', 'lost']),
  /** Things that it is to have; those that are there, and those that could not be had. */
  items: uint,
  done: uint,
  failed: uint,
  length: uint,
  doneBytes: uint,
  bytes: bytesBySourceSchema,
  durationMs: uint,
  error: jobErrorSchema.optional(),
  /** Why things are not there: the first few. */
  failures: z.array(jobErrorSchema.extend({ resource: z.string().max(300) })).max(3),
});
export type JobHost = z.infer<typeof jobHostSchema>;

/** Whether a job is over. */
export function isEnded(state: JobState): boolean {
  return state === 'succeeded' || state === 'failed' || state === 'cancelled';
}

/** The scheduler that owns this partition looks after the job, whoever works on it. */
export function partitionOfJob(id: string): Partition {
  return (Number.parseInt(id.slice(0, 8), 16) % PARTITIONS) as Partition;
}

/** The id of the job that an idempotency key stands for. */
export function jobIdOf(idempotencyKey: string): string {
  return createHash('sha256').update(idempotencyKey).digest('hex').slice(0, 32);
}
