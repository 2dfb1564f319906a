import { z } from 'zod';
import {
  JOB_BOUNDS,
  JOB_KINDS,
  JOB_STATES,
  jobHostSchema,
  jobId,
  jobIdStart,
  jobRecordSchema,
  jobRequestSchema,
} from './jobs.ts';
import { hostId } from './message-fields.ts';

/** operator → a scheduler: accept this, once for each key. */
export const jobCreateSchema = z.object({
  request: jobRequestSchema,
  /** The same key again: the same job. */
  idempotencyKey: z.string().min(1).max(200),
});
/** The job; `created` false where it was there before. */
export const jobCreateReplySchema = z.object({ job: jobRecordSchema, created: z.boolean() });

const page = {
  /** What the answer before gave as `next`. */
  after: z.string().max(100).optional(),
  limit: z.int().min(1).max(JOB_BOUNDS.page).optional(),
};

/** Which jobs: all that is said must fit. */
export const jobFilterSchema = z.object({
  kind: z.enum(JOB_KINDS).optional(),
  state: z.enum(JOB_STATES).optional(),
  /** Jobs of this schedule. */
  parent: jobId.optional(),
  /** Those that are schedules, or those that are not. */
  scheduled: z.boolean().optional(),
  ...page,
});
export type JobFilter = z.infer<typeof jobFilterSchema>;

/** Which hosts of a job. */
export const jobHostFilterSchema = z.object({ state: jobHostSchema.shape.state.optional(), ...page });
export type JobHostFilter = z.infer<typeof jobHostFilterSchema>;

/** anybody → a scheduler: jobs, newest first; one job; its hosts. */
export const jobsAskSchema = z.discriminatedUnion('op', [
  jobFilterSchema.extend({ op: z.literal('list') }),
  z.object({ op: z.literal('show'), id: jobIdStart }),
  jobHostFilterSchema.extend({ op: z.literal('hosts'), id: jobIdStart }),
]);
/** `next` asks for the page behind; absent at the end. */
export const jobsReplySchema = z.object({
  jobs: z.array(jobRecordSchema).max(JOB_BOUNDS.page).optional(),
  hosts: z.array(jobHostSchema).max(JOB_BOUNDS.page).optional(),
  next: z.string().max(100).optional(),
});

/** operator → a scheduler: end it. A pin lets go, a schedule fires no more, what runs stops. */
export const jobCancelSchema = z.object({ id: jobIdStart });
export const jobCancelReplySchema = z.object({ job: jobRecordSchema });

/** in the work queue: the job named by the subject is to be worked on. */
export const jobDueSchema = z.object({});

/** scheduler → whoever keeps the headers of a job: hand them to that host, and to nobody else. */
export const handOverSchema = z.object({ jobId, hostId });
/** keeper → host: with what the registry is asked for this job. Never stored, never logged. */
export const jobHeadersSchema = z.object({
  jobId,
  headers: z
    .record(z.string().min(1).max(200), z.string().max(32_768))
    .refine((headers) => Object.keys(headers).length <= JOB_BOUNDS.headers, 'too many headers'),
});
/** It is done. */
export const handedSchema = z.object({});
