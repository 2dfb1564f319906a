import { afterAll, beforeAll, expect, test } from 'vitest';
import { askSource } from '../../../actors/client/ask-source.ts';
import { never, realClock, serve, type TestServer, testOrigin } from '../../origins/support.ts';

const LIMIT_MS = 2_000;
const origin = testOrigin({ limits: { budgetMs: 50, stallMs: 60_000 } });
const registry = { ask: () => Promise.reject(new Error('no registry here')) };
const world = { clock: realClock, origin, registry };
let server: TestServer;

/** Answers with the status that its path names; `/silent` says nothing. */
beforeAll(async () => {
  server = await serve((request, response) => {
    if (request.url === '/silent') return;
    response.writeHead(Number(request.url?.slice(1)), { etag: '"v1"' }).end();
  });
});
afterAll(async () => {
  await origin.close();
  await server.close();
});

const at = (path: string, headers: Record<string, string> = {}, limitMs = LIMIT_MS) =>
  ({ kind: 'first-byte', url: `${server.url}/${path}`, headers, limitMs }) as const;

test.each([
  [200, 'allowed'],
  [304, 'allowed'],
  [401, 'refused'],
  [403, 'refused'],
  [404, 'refused'],
  [400, 'refused'],
  [429, 'unreachable'],
  [503, 'unreachable'],
])('a source that answers %d has %s the client', async (status, kind) => {
  const request = { ...at(String(status)), known: { etag: '"v1"' } };
  expect(await askSource(world, request, never)).toMatchObject({ kind });
});

test('what a source lets in without credentials is open, with them it is not', async () => {
  expect(await askSource(world, at('200'), never)).toEqual({ kind: 'allowed', open: true });
  const known = at('200', { authorization: 'Basic eDp5' });
  expect(await askSource(world, known, never)).toEqual({ kind: 'allowed', open: false });
});

test('a source that says nothing within the time is out of reach, and the question ends', async () => {
  const verdict = await askSource(world, at('silent', {}, 50), never);
  expect(verdict).toMatchObject({
    kind: 'unreachable',
    error: { message: 'the source said nothing for 50 ms' },
  });
  await expect.poll(() => server.running).toBe(0);
});

test('a client that goes away is told nothing of the source', async () => {
  const client = new AbortController();
  const asked = askSource(world, at('silent'), client.signal);
  await expect.poll(() => server.running).toBe(1);
  client.abort(new Error('gone'));
  await expect(asked).rejects.toThrow('gone');
});
