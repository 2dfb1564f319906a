import type { AddressInfo } from 'node:net';
import { connect } from 'node:net';
import { text } from 'node:stream/consumers';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { hostId } from '../scheduling/world.ts';
import { taskAt } from './double.ts';
import { type Asked, gatewayScene } from './scene.ts';

const PATHS = [
  ...['status', 'version', 'tasks', 'hosts', 'schedulers', 'partitions', 'jobs', 'images/hosts'],
  ...[
    'events?type=nonsense',
    `tasks/${taskAt(1)}`,
    `tasks/${taskAt(1)}/hosts`,
    `hosts/${hostId(1)}`,
    'jobs/abcd',
  ],
].map((path) => `/api/v1/${path}`);
const NAMES = [
  ...['cursor', 'limit', 'id', 'url', 'image', 'state', 'role', 'zone', 'ip', 'label', 'platform', 'host'],
  ...['scheduler', 'kind', 'parent', 'scheduled', '__proto__', 'constructor', ''],
];
const VALUES = [
  '',
  '0',
  '1',
  '-1',
  '1e9',
  'NaN',
  'null',
  'alpine',
  'all',
  'sha256:aa',
  'a=b',
  '\u0000',
  '%',
  '💥',
  'true',
];
const BODIES = [
  { kind: 'preheat', what: ['alpine'], targets: {}, priority: 5 },
  {
    type: 'preheat',
    args: { type: 'image', url: 'https://h/v2/a/manifests/b', headers: {}, scope: 'all_peers' },
  },
];

const value = fc.oneof(fc.constantFrom(...VALUES), fc.string({ unit: 'binary', maxLength: 40 }));
const query = fc
  .array(fc.tuple(fc.oneof(fc.constantFrom(...NAMES), fc.string({ maxLength: 5 })), value), { maxLength: 4 })
  .map((pairs) => new URLSearchParams(pairs).toString());
const path = fc.oneof(
  fc.constantFrom(...PATHS, '/healthy', '/oapi/v1/jobs', '/openapi.json', '/', '/try', '/console/main.js'),
  fc
    .tuple(
      fc.constantFrom('tasks', 'hosts', 'jobs', 'images', 'nothing'),
      value,
      fc.constantFrom('', '/hosts', '/cancel'),
    )
    .map(([noun, id, rest]) => `/api/v1/${noun}/${encodeURIComponent(id)}${rest}`),
  fc.array(value, { maxLength: 4 }).map((parts) => `/${parts.map(encodeURIComponent).join('/')}`),
);
/** A good body with one thing in the place of another. */
const mutated = fc
  .tuple(fc.constantFrom(...BODIES), fc.nat({ max: 9 }), fc.jsonValue())
  .map(([body, at, instead]) => {
    const keys: string[] = [];
    JSON.stringify(body, (key, held) => {
      keys.push(key);
      return held;
    });
    const key = keys[at % keys.length] ?? '';
    return JSON.parse(JSON.stringify(body), (name, held) => (name === key ? instead : held)) as unknown;
  });
const body = fc.oneof(fc.constantFrom<unknown>(...BODIES), mutated, fc.jsonValue(), fc.string());
const request: fc.Arbitrary<Asked> = fc
  .record(
    {
      method: fc.constantFrom('GET' as const, 'POST', 'DELETE', 'PUT', 'PATCH', 'HEAD', 'OPTIONS'),
      path,
      query,
      body,
      type: fc.constantFrom(
        'application/json',
        'text/plain',
        'application/x-www-form-urlencoded',
        'nonsense',
        '',
      ),
      key: fc.constantFrom('', 'k', 'a b', 'x'.repeat(500)),
    },
    { requiredKeys: ['method', 'path', 'query'] },
  )
  .map(({ method, path: place, query: asked, body: sent, type, key }) => ({
    method,
    url: asked === '' ? place : `${place}${place.includes('?') ? '&' : '?'}${asked}`,
    headers: {
      ...(type === undefined ? {} : { 'content-type': type }),
      ...(key === undefined ? {} : { 'idempotency-key': key }),
    },
    ...(sent === undefined || method === 'HEAD' ? {} : { body: JSON.stringify(sent) }),
  }));

test('whatever is asked, the answer is as the document says, and never a 500', async () => {
  await using scene = await gatewayScene();
  const statuses = new Map<number, number>();
  await fc.assert(
    fc.asyncProperty(request, async (asked) => {
      const { status } = await scene.ask(asked);
      statuses.set(status, (statuses.get(status) ?? 0) + 1);
    }),
    { numRuns: 3_000 },
  );
  // It would prove nothing if all were refused at the door.
  for (const status of [200, 400, 404]) expect(statuses.get(status) ?? 0, String(status)).toBeGreaterThan(20);
});

test.each([
  ['garbage', '\u0016\u0003\u0001nonsense\r\n\r\n', 400],
  [
    'a path that is no UTF-8',
    'GET /api/v1/tasks/%E0%A4%A HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n',
    400,
  ],
  ['a large header', `GET / HTTP/1.1\r\nhost: x\r\nx: ${'y'.repeat(40_000)}\r\n\r\n`, 400],
  [
    'two lengths',
    'POST /oapi/v1/jobs HTTP/1.1\r\nhost: x\r\ncontent-length: 1\r\ncontent-length: 2\r\n\r\n{}',
    400,
  ],
  ['a method that there is not', 'DANCE / HTTP/1.1\r\nhost: x\r\n\r\n', 400],
])('bytes that are no request (%s) are refused in the one form of errors', async (_, bytes, status) => {
  await using scene = await gatewayScene();
  await scene.app.listen({ host: '127.0.0.1', port: 0 });
  const { port } = scene.app.server.address() as AddressInfo;
  const socket = connect(port, '127.0.0.1');
  socket.on('error', () => undefined);
  socket.write(bytes);
  const answer = await text(socket);
  expect(answer).toMatch(new RegExp(`^HTTP/1.1 ${status} `));
  expect(JSON.parse(answer.slice(answer.indexOf('\r\n\r\n')))).toMatchObject({
    error: { code: 'ERR_API_REQUEST' },
  });
  expect((await scene.ask({ url: '/healthy', token: '' })).status).toBe(200);
});

test('a body beyond the bound is refused unread', async () => {
  await using scene = await gatewayScene();
  const body = { kind: 'preheat', what: ['x'.repeat(300 * 1024)] };
  expect((await scene.ask({ method: 'POST', url: '/api/v1/jobs', body })).status).toBe(413);
});
