import { z } from 'zod';
import type { ApiRoute } from '../gateway/route.ts';
import { gatewayRoutes } from '../gateway/routes.ts';
import type { GatewayWorld } from '../gateway/world.ts';

const TAGS: Readonly<Record<string, string>> = {
  status: 'Status',
  tasks: 'Tasks',
  images: 'Images',
  hosts: 'Hosts',
  schedulers: 'Schedulers',
  jobs: 'Jobs',
  events: 'Events',
  harbor: 'Harbor',
};

/** docs/API.md. */
export function apiPage(): string {
  // Only handlers look at the world, and none is called.
  const routes = gatewayRoutes({ harborLogin: 'token' } as GatewayWorld);
  const sections = Object.entries(TAGS).map(([tag, title]) => {
    const own = routes.filter((route) => route.tag === tag);
    const about = tag === 'harbor' ? `${HARBOR}\n\n` : '';
    return `## ${title}\n\n${about}${own.map(entry).join('\n')}`;
  });
  const left = routes.filter(({ tag }) => !Object.hasOwn(TAGS, tag));
  if (left.length > 0) throw new Error(`no title for ${left.map(({ tag }) => tag).join(', ')}`);
  return `${INTRO}\n\n${sections.join('\n\n')}\n\n${OUTRO}\n`;
}

function entry(route: ApiRoute): string {
  const { method, path, about, scopes, query, headers, body } = route;
  const who = scopes.length === 0 ? 'open to everybody' : scopes.map((scope) => `\`${scope}\``).join(' or ');
  const facts = [
    fieldsOf('query', query),
    fieldsOf('header', headers),
    fieldsOf('body', body),
    'events' in route ? `events: ${Object.keys(route.events).map(code).join(' ')}` : '',
  ].filter((fact) => fact !== '');
  const rest = facts.map((fact) => `\n  - ${fact}`).join('');
  return `- \`${method} ${path}\` (${who}): ${about}${rest}`;
}

const code = (text: string): string => `\`${text}\``;

function fieldsOf(part: string, schema: z.ZodType | undefined): string {
  if (schema === undefined) return '';
  const json = z.toJSONSchema(schema, { io: 'input', unrepresentable: 'any' });
  const { required = [], properties = {} } = Object.values(json.$defs ?? {})[0] ?? json;
  const names = Object.keys(properties).map((name) => code(`${name}${required.includes(name) ? '' : '?'}`));
  return `${part}: ${names.join(' ')}`;
}

const INTRO = `# HTTP API

\`shoal gateway\` serves it, and \`shoal up\` too: on 127.0.0.1, port 7402, unless the settings say otherwise ([CONFIG.md](CONFIG.md)).
What each route takes and gives, field by field, is in \`/openapi.json\` (OpenAPI 3.1); \`/try\` is a page to try it, and \`/\` is the [console](CONSOLE.md).

\`\`\`sh
shoal token create ci --scope jobs
curl -H "Authorization: Bearer $TOKEN" http://127.0.0.1:7402/api/v1/jobs \\
  -H 'content-type: application/json' -H 'idempotency-key: release-7' -d '{"kind":"preheat","what":["alpine:3.20"]}'
curl -N -H "Authorization: Bearer $TOKEN" http://127.0.0.1:7402/api/v1/jobs/JOB/watch
\`\`\`

- **Tokens.** \`shoal token create NAME --scope SCOPES --expires 90d\` prints one, once. A route takes one of the scopes that stand behind it;
  \`admin\` may do everything. It comes as \`Authorization: Bearer\`, as the password of \`Authorization: Basic\`, or as \`X-Shoal-Token\`.
  A token that is revoked lets nobody in a second later. [SECURITY.md](SECURITY.md#the-http-api) has the rest.
- **Errors.** Always \`{"error": {"code", "message", "retryable", "fix"}}\`: the code is of [ERRORS.md](ERRORS.md), \`fix\` says what to do.
- **Lists** come by the page: \`limit\` rows at most, and \`next\`, which is the \`cursor\` of the page behind. A page may be short, or empty, and
  have a \`next\` all the same: a search stops after 40 ms and goes on there.
- **Streams** are server-sent events. A comment comes every 15 s where nothing happens.
- **Several gateways** may serve one swarm, each with a NATS login of its own (\`shoal auth add gateway NAME\`).
- **Changes** are written down: as the event \`api.changed\`, and for 90 days in the stream \`<swarm>-audit\`.

\`?\` marks what may be left out.`;

const HARBOR = `Make an instance of the provider *Dragonfly* in Harbor, with the address of the gateway as its endpoint. Harbor logs in with a token of scope
\`jobs\`: as OAuth token, as password of a basic login with any user, or as custom header \`X-Shoal-Token\`. With \`--harbor-login none\` it needs none, and
whoever reaches the port may preheat.

A scope of Harbor means: \`single_seed_peer\` one seed, \`all_seed_peers\` all seeds, \`all_peers\` every host. A preheat that fails on one host has
failed; its error names the hosts. What Harbor sends to authorise itself at its registry is kept in memory alone. A registry without TLS is to be
named by \`--registry NAME=URL\` where images are looked up.`;

const OUTRO = `This page is made from the routes in \`gateway/\` by \`scripts/docs.ts\`.`;
