import { z } from 'zod';
import { ShoalError } from '../../core/errors.ts';
import { isHostId } from '../../core/ids.ts';
import { parseLabel } from '../../core/labels.ts';
import type { HostFilter } from '../../core/row-filter.ts';
import { hostRowSchema } from '../../core/swarm-rows.ts';
import { nextField, nextOf, pageParameters } from '../page-query.ts';
import { type ApiRoute, answer } from '../route.ts';
import { searchTime } from '../search-time.ts';
import type { GatewayWorld } from '../world.ts';
import { hostIdBeginning } from './parameters.ts';

const tag = 'hosts';
const scopes = ['read'] as const;
const host = hostRowSchema.meta({ id: 'Host' });

const listQuery = z.strictObject({
  ...pageParameters(),
  id: hostIdBeginning.optional().describe('a host id, or the beginning of one'),
  role: z.enum(['normal', 'seed']).optional(),
  zone: z.string().min(1).max(128).optional(),
  ip: z.string().min(1).max(64).optional(),
  label: z
    .union([z.string().max(300), z.array(z.string().max(300)).max(16)])
    .optional()
    .describe('K=V; may be given several times: all must be there'),
});

/** Hosts: list, search, show. */
export function hostRoutes(world: GatewayWorld): ApiRoute[] {
  return [
    answer({
      method: 'GET',
      path: '/api/v1/hosts',
      tag,
      scopes,
      about: 'List the hosts of the swarm by id, or search them; all that is asked must fit.',
      query: listQuery,
      reply: z.object({ hosts: z.array(host), ...nextField }).meta({ id: 'HostPage' }),
      async handle({ query }) {
        const { cursor: after, limit, id } = query;
        const page = { after, limit, id, filter: filterOf(query), enough: searchTime(world) };
        const { rows, next } = await world.swarm.hostPage(page);
        return { hosts: [...rows], ...nextOf(next) };
      },
    }),
    answer({
      method: 'GET',
      path: '/api/v1/hosts/{hostId}',
      tag,
      scopes,
      about: 'Show a host.',
      params: z.object({ hostId: z.string().refine(isHostId, 'not a host id') }),
      reply: host,
      async handle({ params: { hostId } }) {
        const { rows } = await world.swarm.hostPage({ limit: 1, id: hostId });
        const [found] = rows;
        if (found !== undefined) return found;
        throw new ShoalError('ERR_HOST_NOT_FOUND', `no scheduler knows the host ${hostId}`);
      },
    }),
  ];
}

/** @throws ERR_CONFIG_INVALID */
function filterOf({ role, zone, ip, label }: z.infer<typeof listQuery>): HostFilter {
  const labels = label === undefined ? undefined : Object.fromEntries([label].flat().map(parseLabel));
  return {
    ...(role !== undefined && { role }),
    ...(zone !== undefined && { zone }),
    ...(ip !== undefined && { ip }),
    ...(labels !== undefined && { labels }),
  };
}
