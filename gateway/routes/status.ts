import { z } from 'zod';
import { SCOPES } from '../../core/api-token.ts';
import { ShoalError } from '../../core/errors.ts';
import { type ApiRoute, answer } from '../route.ts';
import type { GatewayWorld } from '../world.ts';
import { partitionsOf } from './schedulers.ts';

/** The swarm at a glance, and the version. */
export function statusRoutes(world: GatewayWorld): ApiRoute[] {
  return [
    answer({
      method: 'GET',
      path: '/api/v1/status',
      tag: 'status',
      scopes: ['read'],
      about: 'Show the state of the swarm, as its schedulers say.',
      reply: z
        .object({
          swarm: z.string(),
          version: z.string().describe('of this gateway'),
          nats: z.string().describe('connection of this gateway to NATS'),
          schedulers: z.int(),
          hosts: z.int(),
          tasks: z.int().describe('with somebody who works on them, or somebody who holds them'),
          partitions: z.object({ served: z.int(), unserved: z.array(z.int()) }),
        })
        .meta({ id: 'Status' }),
      handle() {
        const rows = world.schedulers();
        const partitions = partitionsOf(rows);
        const unserved = partitions.flatMap(({ partition, schedulers }) =>
          schedulers.length === 0 ? [partition] : [],
        );
        return {
          swarm: world.swarmName,
          version: world.version,
          nats: world.nats(),
          schedulers: rows.length,
          hosts: Math.max(0, ...rows.map(({ hosts }) => hosts)),
          tasks: rows.reduce((sum, { tasks }) => sum + tasks, 0),
          partitions: { served: partitions.length - unserved.length, unserved },
        };
      },
    }),
    answer({
      method: 'GET',
      path: '/api/v1/whoami',
      tag: 'status',
      scopes: SCOPES,
      about: 'Tell what the token of this request may do, and until when.',
      reply: z
        .object({
          name: z.string(),
          scopes: z.array(z.enum(SCOPES)),
          expiresAtMs: z.int().optional().describe('wall-clock ms; absent: never'),
        })
        .meta({ id: 'WhoAmI' }),
      handle({ caller: { token } }) {
        if (token === undefined) throw new ShoalError('ERR_API_LOGIN', 'this takes a token');
        const { name, scopes, expiresAtMs } = token;
        return { name, scopes, ...(expiresAtMs !== undefined && { expiresAtMs }) };
      },
    }),
    answer({
      method: 'GET',
      path: '/api/v1/version',
      tag: 'status',
      scopes: [],
      about: 'Tell the version of Shoal.',
      reply: z.object({ version: z.string() }).meta({ id: 'Version' }),
      handle: () => ({ version: world.version }),
    }),
  ];
}
