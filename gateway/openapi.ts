import { z } from 'zod';
import { apiErrorSchema } from './errors.ts';
import type { ApiRoute } from './route.ts';

type Json = Record<string, unknown>;

/** What @fastify/swagger makes an operation of. */
export interface RouteDocs {
  readonly schema: Json;
  /** Schemas with a name, which the operation refers to. */
  readonly components: Readonly<Record<string, Json>>;
}

/** Describes a route by JSON Schema: of what is asked as it may be written, of what is answered as it comes. */
export function routeDocs(route: ApiRoute): RouteDocs {
  const components: Record<string, Json> = {};
  const asJson = (schema: z.ZodType, io: 'input' | 'output'): Json => {
    const { $schema: _draft, $defs = {}, ...json } = z.toJSONSchema(schema, { io, unrepresentable: 'any' });
    for (const [name, part] of Object.entries($defs)) components[name] = withRefs(part as Json);
    return withRefs(json);
  };
  const { params, query, body, headers } = route;
  const content =
    'reply' in route ? jsonContent(asJson(route.reply, 'output')) : streamContent(route, asJson);
  const failed = {
    description: 'An error',
    content: { 'application/json': { schema: asJson(apiErrorSchema, 'output') } },
  };
  return {
    schema: {
      tags: [route.tag],
      summary: route.about,
      operationId: operationId(route),
      ...(params && { params: asJson(params, 'input') }),
      ...(query && { querystring: asJson(query, 'input') }),
      ...(headers && { headers: asJson(headers, 'input') }),
      ...(body && { body: asJson(body, 'input') }),
      security: route.scopes.length === 0 ? [] : [{ token: [...route.scopes] }],
      response: { 200: { description: 'Done', content }, '4xx': failed, '5xx': failed },
    },
    components,
  };
}

/** `get-tasks-taskId-hosts`. */
function operationId({ method, path }: ApiRoute): string {
  const words = path.replace('/api/v1', '').split('/').filter(Boolean);
  return [method.toLowerCase(), ...words.map((word) => word.replace(/[{}]/g, ''))].join('-');
}

function jsonContent(schema: Json): Json {
  return { 'application/json': { schema } };
}

function streamContent(route: ApiRoute, asJson: (schema: z.ZodType, io: 'output') => Json): Json {
  if (!('events' in route)) return {};
  const kinds = Object.entries(route.events).map(([event, data]) => [event, asJson(data, 'output')] as const);
  return {
    'text/event-stream': {
      schema: { type: 'string', description: `events: ${kinds.map(([event]) => event).join(', ')}` },
      'x-events': Object.fromEntries(kinds),
    },
  };
}

/** Where named schemas stand in an OpenAPI document. */
function withRefs(schema: Json): Json {
  const { id: _name, ...rest } = JSON.parse(
    JSON.stringify(schema).replaceAll('"#/$defs/', '"#/components/schemas/'),
  ) as Json;
  return rest;
}
