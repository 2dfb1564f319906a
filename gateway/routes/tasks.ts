import { z } from 'zod';
import { isHostId } from '../../core/ids.ts';
import type { PageQuery } from '../../core/list-page.ts';
import { parseImageReference } from '../../core/oci-reference.ts';
import type { TaskFilter } from '../../core/row-filter.ts';
import { explanationSchema, taskDetailSchema, taskRowSchema } from '../../core/swarm-rows.ts';
import { nextField, nextOf, pageAt, pageParameters } from '../page-query.ts';
import { type ApiRoute, answer } from '../route.ts';
import { searchTime } from '../search-time.ts';
import type { GatewayWorld } from '../world.ts';
import { idBeginning, taskParams } from './parameters.ts';

const tag = 'tasks';
const scopes = ['read'] as const;
const task = taskRowSchema.meta({ id: 'Task' });
const shownSchema = taskDetailSchema.omit({ peers: true }).meta({ id: 'TaskShown' });
const peerSchema = taskDetailSchema.shape.peers.element.meta({ id: 'TaskHost' });

const listQuery = z.strictObject({
  ...pageParameters(),
  id: idBeginning.optional().describe('a task id or a digest, or the beginning of either'),
  url: z.string().min(1).max(2048).optional().describe('stands somewhere in a source'),
  image: z.string().min(1).max(4096).optional().describe('all that was read of this image’s repository'),
  state: z.string().min(1).max(32).optional().describe('as in the rows'),
});

/** Tasks: list, search, show, explain, remove. */
export function taskRoutes(world: GatewayWorld): ApiRoute[] {
  const { swarm } = world;

  function filterOf({ url, image, state }: z.infer<typeof listQuery>): TaskFilter {
    const place = image === undefined ? undefined : repositoryPlace(world, image);
    return {
      ...(url !== undefined && { url }),
      ...(place !== undefined && { place }),
      ...(state !== undefined && { state }),
    };
  }

  return [
    answer({
      method: 'GET',
      path: '/api/v1/tasks',
      tag,
      scopes,
      about: 'List the tasks of the swarm by id, or search them; all that is asked must fit.',
      query: listQuery,
      reply: z.object({ tasks: z.array(task), ...nextField }).meta({ id: 'TaskPage' }),
      async handle({ query }) {
        const { cursor: after, limit, id } = query;
        const page: PageQuery<TaskFilter> = {
          after,
          limit,
          id,
          filter: filterOf(query),
          enough: searchTime(world),
        };
        const { rows, next } = await swarm.taskPage(page);
        return { tasks: [...rows], ...nextOf(next) };
      },
    }),
    answer({
      method: 'GET',
      path: '/api/v1/tasks/{taskId}',
      tag,
      scopes,
      about: 'Show a task.',
      params: taskParams,
      reply: shownSchema,
      async handle({ params }) {
        const { peers: _page, ...shown } = (await swarm.taskWith(params.taskId, { limit: 1 })).task;
        return shown;
      },
    }),
    answer({
      method: 'GET',
      path: '/api/v1/tasks/{taskId}/hosts',
      tag,
      scopes,
      about: 'List the hosts that hold a task or fetch it, by id.',
      params: taskParams,
      query: z.strictObject(pageParameters()),
      reply: z.object({ hosts: z.array(peerSchema), ...nextField }).meta({ id: 'TaskHostPage' }),
      async handle({ params, query }) {
        const { cursor: after, limit } = query;
        const { task: shown, next } = await swarm.taskWith(params.taskId, { after, limit });
        return { hosts: shown.peers, ...nextOf(next) };
      },
    }),
    answer({
      method: 'GET',
      path: '/api/v1/tasks/{taskId}/explain',
      tag,
      scopes,
      about: 'Explain where the bytes of a task came from on each host, why, and what the time went to.',
      params: taskParams,
      query: z.strictObject({
        ...pageParameters(),
        host: z.string().refine(isHostId, 'not a host id').optional().describe('this host alone'),
      }),
      reply: explanationSchema.extend(nextField).meta({ id: 'Explanation' }),
      async handle({ params, query }) {
        const { hosts, ...explained } = await swarm.explain(params.taskId, query.host);
        const { rows, next } = pageAt(hosts, ({ hostId }) => hostId, query);
        return { ...explained, hosts: [...rows], ...nextOf(next) };
      },
    }),
    answer({
      method: 'DELETE',
      path: '/api/v1/tasks/{taskId}',
      tag,
      scopes: ['admin'],
      audited: 'task.remove',
      about: 'Remove a task from every cache of the swarm.',
      params: taskParams,
      reply: z.object({ taskId: z.string(), hosts: z.int().describe('hosts that were told') }),
      async handle({ params: { taskId }, changes }) {
        changes(taskId);
        return { taskId, ...(await swarm.removeTask(taskId)) };
      },
    }),
  ];
}

/** What all sources of a repository begin with. @throws ERR_IMAGE_REFERENCE, ERR_DIGEST_INVALID */
function repositoryPlace({ registryBase }: GatewayWorld, image: string): string {
  const { registry, repository } = parseImageReference(image);
  return `${registryBase(registry)}/v2/${repository}/`;
}
