import { z } from 'zod';
import { jobFilterSchema, jobHostFilterSchema } from '../../core/job-messages.ts';
import { JOB_BOUNDS, jobHostSchema, jobIdStart, jobRecordSchema, jobRequestSchema } from '../../core/jobs.ts';
import { nextField, nextOf, pageParameters } from '../page-query.ts';
import { type ApiRoute, answer, type SentEvent, stream } from '../route.ts';
import type { GatewayWorld } from '../world.ts';

const tag = 'jobs';
const reading = ['read', 'jobs'] as const;
const changing = ['jobs'] as const;
const job = jobRecordSchema.meta({ id: 'Job' });
const jobHost = jobHostSchema.meta({ id: 'JobHost' });
const params = z.object({ jobId: jobIdStart.describe('a job id, or the beginning of one') });

const { headersKeptBy: _ofTheGateway, ...requested } = jobRequestSchema.shape;
const createBody = z
  .strictObject({
    ...requested,
    headers: z
      .record(z.string().regex(/^[!#$%&'*+.^_`|~\w-]{1,100}$/, 'not a header'), z.string().max(8192))
      .refine((headers) => Object.keys(headers).length <= 32, 'too many')
      .optional()
      .describe('sent to the registry by the one host that reads; they are kept in memory alone'),
  })
  .meta({ id: 'JobRequest' });

const { kind, state, parent } = jobFilterSchema.shape;
const listQuery = z.strictObject({
  ...pageParameters(JOB_BOUNDS.page),
  kind,
  state,
  parent: parent.describe('jobs of this schedule'),
  scheduled: z.enum(['true', 'false']).optional().describe('those that are schedules, or those that are not'),
});

/** Jobs: create, list, show, watch, cancel. */
export function jobRoutes({ jobs }: GatewayWorld): ApiRoute[] {
  return [
    answer({
      method: 'POST',
      path: '/api/v1/jobs',
      tag,
      scopes: changing,
      audited: 'job.create',
      about:
        'Have hosts fetch content, give it up, or keep it. With an Idempotency-Key the same request twice is one job.',
      body: createBody,
      headers: z.looseObject({
        'idempotency-key': z
          .string()
          .regex(/^[\x21-\x7e]{1,128}$/, 'from 1 to 128 characters without a space')
          .optional()
          .describe('of your choice; counts for this token alone'),
      }),
      reply: z
        .object({ job, created: z.boolean().describe('false: it was there before') })
        .meta({ id: 'JobCreated' }),
      async handle({ body: { headers, ...request }, headers: sent, caller, changes }) {
        const key = sent['idempotency-key'];
        const created = await jobs.create(request, {
          idempotencyKey: key === undefined ? undefined : `api:${caller.token?.id ?? ''}:${key}`,
          headers,
        });
        changes(created.job.id);
        return created;
      },
    }),
    answer({
      method: 'GET',
      path: '/api/v1/jobs',
      tag,
      scopes: reading,
      about: 'List the jobs, newest first.',
      query: listQuery,
      reply: z.object({ jobs: z.array(job), ...nextField }).meta({ id: 'JobPage' }),
      async handle({ query: { cursor: after, scheduled, ...query } }) {
        const isSchedule = scheduled === undefined ? {} : { scheduled: scheduled === 'true' };
        const { rows, next } = await jobs.list({
          ...query,
          ...isSchedule,
          ...(after !== undefined && { after }),
        });
        return { jobs: [...rows], ...nextOf(next) };
      },
    }),
    answer({
      method: 'GET',
      path: '/api/v1/jobs/{jobId}',
      tag,
      scopes: reading,
      about: 'Show a job.',
      params,
      reply: job,
      handle: ({ params: { jobId } }) => jobs.show(jobId),
    }),
    answer({
      method: 'GET',
      path: '/api/v1/jobs/{jobId}/hosts',
      tag,
      scopes: reading,
      about: 'List the hosts of a job, and how it stands on each.',
      params,
      query: z.strictObject({ ...pageParameters(JOB_BOUNDS.page), state: jobHostFilterSchema.shape.state }),
      reply: z.object({ hosts: z.array(jobHost), ...nextField }).meta({ id: 'JobHostPage' }),
      async handle({ params: { jobId }, query: { cursor: after, ...query } }) {
        const { rows, next } = await jobs.hosts(jobId, { ...query, ...(after !== undefined && { after }) });
        return { hosts: [...rows], ...nextOf(next) };
      },
    }),
    stream({
      method: 'GET',
      path: '/api/v1/jobs/{jobId}/watch',
      tag,
      scopes: reading,
      about: 'Follow a job until it is over, as server-sent events.',
      params,
      events: { job },
      async open({ params: { jobId }, signal }) {
        const { id } = await jobs.show(jobId);
        return changesOf(jobs.watch(id, signal));
      },
    }),
    answer({
      method: 'POST',
      path: '/api/v1/jobs/{jobId}/cancel',
      tag,
      scopes: changing,
      audited: 'job.cancel',
      about: 'End a job: what runs stops, a pin lets go, a schedule fires no more.',
      params,
      reply: job,
      async handle({ params: { jobId }, changes }) {
        changes(jobId);
        return jobs.cancel(jobId);
      },
    }),
  ];
}

async function* changesOf(records: AsyncIterable<z.infer<typeof job>>): AsyncGenerator<SentEvent> {
  for await (const record of records) yield { event: 'job', data: record };
}
