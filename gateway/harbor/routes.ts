import { z } from 'zod';
import type { Jobs } from '../../actors/jobs/client.ts';
import type { Random } from '../../core/clock.ts';
import { isEnded, type JobHost, jobIdOf } from '../../core/jobs.ts';
import { GATEWAY_LIMITS } from '../limits.ts';
import { type ApiRoute, answer } from '../route.ts';
import type { GatewayWorld } from '../world.ts';
import { harborJobSchema, harborRequestSchema } from './contract.ts';
import { harborJob } from './job-answer.ts';
import { jobRequestOf } from './job-request.ts';

const tag = 'harbor';

/** What Harbor's built-in provider `dragonfly` asks for. */
export function harborRoutes({ jobs, random, harborLogin }: GatewayWorld): ApiRoute[] {
  const isOpen = harborLogin === 'none';
  return [
    answer({
      method: 'GET',
      path: '/healthy',
      tag,
      scopes: [],
      about: 'Tell Harbor that the gateway runs.',
      reply: z.object({ status: z.literal('ok') }),
      handle: () => ({ status: 'ok' as const }),
    }),
    answer({
      method: 'POST',
      path: '/oapi/v1/jobs',
      tag,
      scopes: isOpen ? [] : ['jobs'],
      audited: 'job.create',
      about: 'Preheat an image or a file, as Harbor asks for it.',
      body: harborRequestSchema,
      reply: harborJobSchema,
      async handle({ body, changes }) {
        const id = newNumber(random);
        const { headers } = body.args;
        const { job } = await jobs.create(jobRequestOf(body), {
          idempotencyKey: keyOf(id),
          headers: headers && Object.keys(headers).length > 0 ? headers : undefined,
        });
        changes(job.id);
        return harborJob(id, job, []);
      },
    }),
    answer({
      method: 'GET',
      path: '/oapi/v1/jobs/{id}',
      tag,
      scopes: isOpen ? [] : ['read', 'jobs'],
      about: 'Show a preheat as Harbor reads it.',
      params: z.object({
        id: z
          .string()
          .regex(/^[1-9]\d{0,14}$/, 'not the id of a job')
          .describe('as the answer to the POST has it')
          .transform(Number),
      }),
      reply: harborJobSchema,
      async handle({ params: { id } }) {
        const job = await jobs.show(jobIdOf(keyOf(id)));
        return harborJob(id, job, isEnded(job.state) ? await hostsOf(jobs, job.id) : []);
      },
    }),
  ];
}

/** Harbor's ids are numbers. The job's own id is made of this key, so that nothing has to remember which is which. */
function keyOf(id: number): string {
  return `harbor:${id}`;
}

/** A number of 48 random bits, which JSON keeps whole. */
function newNumber(random: Random): number {
  return Buffer.from(random.bytes(6)).readUIntBE(0, 6) || 1;
}

/** Those that failed first, as far as they are told one by one. */
async function hostsOf(jobs: Jobs, id: string): Promise<JobHost[]> {
  const hosts: JobHost[] = [];
  for (const state of ['failed', 'cancelled', 'succeeded'] as const) {
    let after: string | undefined;
    do {
      const page = await jobs.hosts(id, { state, ...(after !== undefined && { after }) });
      hosts.push(...page.rows);
      after = page.next;
    } while (after !== undefined && hosts.length < GATEWAY_LIMITS.harborRows);
  }
  return hosts.slice(0, GATEWAY_LIMITS.harborRows);
}
