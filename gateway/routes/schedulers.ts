import { z } from 'zod';
import { PARTITIONS } from '../../core/ids.ts';
import { schedulerRowSchema } from '../../core/swarm-rows.ts';
import { nextField, nextOf, pageAt, pageParameters } from '../page-query.ts';
import { type ApiRoute, answer } from '../route.ts';
import type { GatewayWorld } from '../world.ts';

const scopes = ['read'] as const;
const scheduler = schedulerRowSchema.meta({ id: 'Scheduler' });
const partitionSchema = z
  .object({
    partition: z.int(),
    /** More than one for the moment of a take-over, none while nobody has it. */
    schedulers: z.array(z.string()).describe('who serves it'),
  })
  .meta({ id: 'Partition' });

/** Schedulers, and what each serves: as they say themselves every second. */
export function schedulerRoutes({ schedulers }: GatewayWorld): ApiRoute[] {
  return [
    answer({
      method: 'GET',
      path: '/api/v1/schedulers',
      tag: 'schedulers',
      scopes,
      about: 'List the schedulers of the swarm by id, and what each serves.',
      query: z.strictObject(pageParameters()),
      reply: z.object({ schedulers: z.array(scheduler), ...nextField }).meta({ id: 'SchedulerPage' }),
      handle({ query }) {
        const { rows, next } = pageAt(schedulers(), ({ schedulerId }) => schedulerId, query);
        return { schedulers: [...rows], ...nextOf(next) };
      },
    }),
    answer({
      method: 'GET',
      path: '/api/v1/partitions',
      tag: 'schedulers',
      scopes,
      about: 'List the partitions of the tasks, and who serves each.',
      query: z.strictObject({
        ...pageParameters(),
        scheduler: z.string().max(64).optional().describe('those of this scheduler alone'),
      }),
      reply: z.object({ partitions: z.array(partitionSchema), ...nextField }).meta({ id: 'PartitionPage' }),
      handle({ query }) {
        const all = partitionsOf(schedulers()).filter(
          (row) => query.scheduler === undefined || row.schedulers.includes(query.scheduler),
        );
        const { rows, next } = pageAt(all, ({ partition }) => String(partition).padStart(5, '0'), query);
        return { partitions: [...rows], ...nextOf(next) };
      },
    }),
  ];
}

/** Every partition, and who says that he serves it. */
export function partitionsOf(
  rows: ReturnType<GatewayWorld['schedulers']>,
): z.infer<typeof partitionSchema>[] {
  const served = Array.from({ length: PARTITIONS }, (_, partition) => ({
    partition,
    schedulers: [] as string[],
  }));
  for (const { schedulerId, partitions } of rows) {
    for (const partition of partitions) served[partition]?.schedulers.push(schedulerId);
  }
  return served;
}
