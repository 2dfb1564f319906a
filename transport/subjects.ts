import { z } from 'zod';
import { auditSchema } from '../core/audit.ts';
import { deliverySchema } from '../core/delivery.ts';
import {
  fetchOrderSchema,
  fetchReplySchema,
  lookUpReplySchema,
  lookUpSchema,
} from '../core/fetch-messages.ts';
import {
  aliveSchema,
  announceReplySchema,
  announceRequestSchema,
  censusSchema,
  evictSchema,
  holdsSchema,
  schedulerAliveSchema,
} from '../core/host-messages.ts';
import {
  handedSchema,
  handOverSchema,
  jobCancelReplySchema,
  jobCancelSchema,
  jobCreateReplySchema,
  jobCreateSchema,
  jobDueSchema,
  jobHeadersSchema,
  jobsAskSchema,
  jobsReplySchema,
} from '../core/job-messages.ts';
import { logCreatedSchema, logEndedSchema, logManifestSchema } from '../core/log-messages.ts';
import {
  explainReplySchema,
  explainSchema,
  querySchema,
  removeReplySchema,
  removeSchema,
} from '../core/query-messages.ts';
import { originToldSchema, resolveReplySchema, resolveRequestSchema } from '../core/resolve-messages.ts';
import { leasesPushSchema, syncReplySchema, syncRequestSchema } from '../core/sync-messages.ts';
import type { LogSubject, PublishSubject, QueueSubject, RequestSubject, Tokens } from './bus.ts';

const request = <T extends Tokens, M, R>(
  template: string,
  sender: keyof T & string,
  message: z.ZodType<M>,
  reply: z.ZodType<R>,
): RequestSubject<T, M, R> => ({ kind: 'request', template, sender, message, reply });
const publish = <T extends Tokens, M>(template: string, message: z.ZodType<M>): PublishSubject<T, M> => ({
  kind: 'publish',
  template,
  message,
});
const log = <T extends Tokens, M>(
  stream: string,
  template: string,
  message: z.ZodType<M>,
): LogSubject<T, M> => ({
  kind: 'log',
  stream,
  template,
  message,
});

const queue = <T extends Tokens, M>(
  stream: string,
  template: string,
  message: z.ZodType<M>,
): QueueSubject<T, M> => ({ kind: 'queue', stream, template, message });

type OfTask = { partition: string; taskId: string };
type OfTaskHost = OfTask & { hostId: string };
type OfHost = { hostId: string };
/** A host, or a command of an operator or a monitor. */
type BySender = { sender: string };
type OfResource = { partition: string; resourceId: string; hostId: string };

/** Every subject of Shoal, below `<swarm>.v1.`; docs/SUBJECTS.md is checked against this table. */
export const SUBJECTS = {
  sync: request<OfTaskHost, z.infer<typeof syncRequestSchema>, z.infer<typeof syncReplySchema>>(
    'task.{partition}.{taskId}.{hostId}.sync',
    'hostId',
    syncRequestSchema,
    syncReplySchema,
  ),
  resolve: request<OfResource, z.infer<typeof resolveRequestSchema>, z.infer<typeof resolveReplySchema>>(
    'resource.{partition}.{resourceId}.{hostId}.resolve',
    'hostId',
    resolveRequestSchema,
    resolveReplySchema,
  ),
  originTold: publish<OfTask, z.infer<typeof originToldSchema>>(
    'task.{partition}.{taskId}.told',
    originToldSchema,
  ),
  announce: request<OfHost, z.infer<typeof announceRequestSchema>, z.infer<typeof announceReplySchema>>(
    'host.{hostId}.announce',
    'hostId',
    announceRequestSchema,
    announceReplySchema,
  ),
  alive: publish<OfHost, z.infer<typeof aliveSchema>>('host.{hostId}.alive', aliveSchema),
  /** `to` is a partition, whoever owns it, or the scheduler that asked. */
  holds: publish<OfHost & { to: string }, z.infer<typeof holdsSchema>>(
    'host.{hostId}.holds.{to}',
    holdsSchema,
  ),
  leases: publish<OfHost, z.infer<typeof leasesPushSchema>>('host.{hostId}.leases', leasesPushSchema),
  evict: publish<OfHost, z.infer<typeof evictSchema>>('host.{hostId}.evict', evictSchema),
  fetch: request<OfHost & BySender, z.infer<typeof fetchOrderSchema>, z.infer<typeof fetchReplySchema>>(
    'host.{hostId}.fetch.{sender}',
    'sender',
    fetchOrderSchema,
    fetchReplySchema,
  ),
  /** A census for one host. */
  ask: publish<OfHost, z.infer<typeof censusSchema>>('host.{hostId}.ask', censusSchema),
  lookUp: request<OfHost & BySender, z.infer<typeof lookUpSchema>, z.infer<typeof lookUpReplySchema>>(
    'host.{hostId}.look-up.{sender}',
    'sender',
    lookUpSchema,
    lookUpReplySchema,
  ),
  jobHeaders: request<OfHost & BySender, z.infer<typeof jobHeadersSchema>, z.infer<typeof handedSchema>>(
    'host.{hostId}.headers.{sender}',
    'sender',
    jobHeadersSchema,
    handedSchema,
  ),
  handOver: request<
    { keeper: string } & BySender,
    z.infer<typeof handOverSchema>,
    z.infer<typeof handedSchema>
  >('hand-over.{keeper}.{sender}', 'sender', handOverSchema, handedSchema),
  census: publish<Record<never, string>, z.infer<typeof censusSchema>>('census', censusSchema),
  schedulerAlive: publish<{ schedulerId: string }, z.infer<typeof schedulerAliveSchema>>(
    'scheduler.{schedulerId}.alive',
    schedulerAliveSchema,
  ),
  /** `noun` is task, host or scheduler; `responder` of the answer is in its body. */
  query: request<{ noun: string } & BySender, z.infer<typeof querySchema>, unknown>(
    'query.{noun}.{sender}',
    'sender',
    querySchema,
    z.unknown(),
  ),
  /** Asks all hosts how a task came to them. */
  explain: request<
    { taskId: string } & BySender,
    z.infer<typeof explainSchema>,
    z.infer<typeof explainReplySchema>
  >('explain.{taskId}.{sender}', 'sender', explainSchema, explainReplySchema),
  /** Removes a task from every cache: an operator's verb, hence a subject of its own. */
  remove: request<
    { taskId: string } & BySender,
    z.infer<typeof removeSchema>,
    z.infer<typeof removeReplySchema>
  >('remove.{taskId}.{sender}', 'sender', removeSchema, removeReplySchema),
  jobCreate: request<BySender, z.infer<typeof jobCreateSchema>, z.infer<typeof jobCreateReplySchema>>(
    'jobs.create.{sender}',
    'sender',
    jobCreateSchema,
    jobCreateReplySchema,
  ),
  jobsAsk: request<BySender, z.infer<typeof jobsAskSchema>, z.infer<typeof jobsReplySchema>>(
    'jobs.ask.{sender}',
    'sender',
    jobsAskSchema,
    jobsReplySchema,
  ),
  jobCancel: request<BySender, z.infer<typeof jobCancelSchema>, z.infer<typeof jobCancelReplySchema>>(
    'jobs.cancel.{sender}',
    'sender',
    jobCancelSchema,
    jobCancelReplySchema,
  ),
  /** That there is something to do for a job; what that is stands in the bucket `jobs`. */
  job: queue<{ kind: string; jobId: string }, z.infer<typeof jobDueSchema>>(
    'jobs',
    'job.{kind}.{jobId}',
    jobDueSchema,
  ),
  logCreated: log<OfTask, z.infer<typeof logCreatedSchema>>(
    'tasks',
    'log.{partition}.{taskId}.created',
    logCreatedSchema,
  ),
  logManifest: log<OfTask & { page: string }, z.infer<typeof logManifestSchema>>(
    'tasks',
    'log.{partition}.{taskId}.manifest.{page}',
    logManifestSchema,
  ),
  logFailed: log<OfTask, z.infer<typeof logEndedSchema>>(
    'tasks',
    'log.{partition}.{taskId}.failed',
    logEndedSchema,
  ),
  logRetired: log<OfTask, z.infer<typeof logEndedSchema>>(
    'tasks',
    'log.{partition}.{taskId}.retired',
    logEndedSchema,
  ),
  /** One message each: `id` is random. */
  audit: log<BySender & { id: string }, z.infer<typeof auditSchema>>(
    'audit',
    'audit.{sender}.{id}',
    auditSchema,
  ),
  delivery: log<OfTaskHost, z.infer<typeof deliverySchema>>(
    'deliveries',
    'delivery.{partition}.{taskId}.{hostId}',
    deliverySchema,
  ),
} as const;
