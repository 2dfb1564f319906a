import { z } from 'zod';
import { ShoalError } from '../../core/errors.ts';
import { EVENTS } from '../../core/events.ts';
import { type ApiRoute, stream } from '../route.ts';
import type { GatewayWorld } from '../world.ts';

const cloudEvent = z
  .looseObject({ specversion: z.string(), id: z.string(), type: z.string(), source: z.string() })
  .describe('a CloudEvent 1.0, as docs/EVENTS.md has it')
  .meta({ id: 'CloudEvent' });

/** The events of the swarm as they happen. */
export function eventRoutes({ events }: GatewayWorld): ApiRoute[] {
  return [
    stream({
      method: 'GET',
      path: '/api/v1/events',
      tag: 'events',
      scopes: ['read'],
      about: 'Follow the events of the swarm, as server-sent events; none is kept for later.',
      query: z.strictObject({
        type: z
          .string()
          .min(1)
          .max(64)
          .optional()
          .describe('a type, or the beginning of one: peer.completed'),
        id: z.string().min(1).max(200).optional().describe('what it happened to: a task id, a host id'),
      }),
      events: {
        event: cloudEvent,
        dropped: z.object({ dropped: z.int().describe('events that this client was too slow for') }),
      },
      open({ query: { type, id }, signal }) {
        if (type !== undefined && !Object.keys(EVENTS).some((known) => known.startsWith(type))) {
          throw new ShoalError('ERR_API_REQUEST', 'query.type: there is no such event');
        }
        return events.follow(
          (event) => event.type.startsWith(type ?? '') && (id === undefined || event.id === id),
          signal,
        );
      },
    }),
  ];
}
