import { expect, test, vi } from 'vitest';
import { realClock, realRandom } from '../../app/real-world.ts';
import { SCOPES, type Scope } from '../../core/api-token.ts';
import { gatewayRoutes } from '../../gateway/routes.ts';
import { TokenStore } from '../../gateway/tokens/token-store.ts';
import type { GatewayWorld } from '../../gateway/world.ts';
import { taskAt } from './double.ts';
import { gatewayScene } from './scene.ts';

/** One request for every route, with something in the place of what is variable. */
const REQUESTS: Readonly<Record<string, { readonly url: string; readonly body?: unknown }>> = {
  'GET /api/v1/status': { url: '/api/v1/status' },
  'GET /api/v1/version': { url: '/api/v1/version' },
  'GET /api/v1/whoami': { url: '/api/v1/whoami' },
  'GET /api/v1/tasks': { url: '/api/v1/tasks' },
  'GET /api/v1/tasks/{taskId}': { url: `/api/v1/tasks/${taskAt(1)}` },
  'GET /api/v1/tasks/{taskId}/hosts': { url: `/api/v1/tasks/${taskAt(1)}/hosts` },
  'GET /api/v1/tasks/{taskId}/explain': { url: `/api/v1/tasks/${taskAt(1)}/explain` },
  'DELETE /api/v1/tasks/{taskId}': { url: `/api/v1/tasks/${taskAt(1)}` },
  'GET /api/v1/images/hosts': { url: '/api/v1/images/hosts?image=alpine' },
  'GET /api/v1/hosts': { url: '/api/v1/hosts' },
  'GET /api/v1/hosts/{hostId}': { url: `/api/v1/hosts/${'0'.repeat(32)}` },
  'GET /api/v1/schedulers': { url: '/api/v1/schedulers' },
  'GET /api/v1/partitions': { url: '/api/v1/partitions' },
  'POST /api/v1/jobs': { url: '/api/v1/jobs', body: { kind: 'preheat', what: ['alpine'] } },
  'GET /api/v1/jobs': { url: '/api/v1/jobs' },
  'GET /api/v1/jobs/{jobId}': { url: '/api/v1/jobs/abcd' },
  'GET /api/v1/jobs/{jobId}/hosts': { url: '/api/v1/jobs/abcd/hosts' },
  // Of no job: an answer, and no stream.
  'GET /api/v1/jobs/{jobId}/watch': { url: '/api/v1/jobs/abcd/watch' },
  'POST /api/v1/jobs/{jobId}/cancel': { url: '/api/v1/jobs/abcd/cancel' },
  'GET /api/v1/events': { url: '/api/v1/events?type=nonsense' },
  'GET /healthy': { url: '/healthy' },
  'POST /oapi/v1/jobs': {
    url: '/oapi/v1/jobs',
    body: { type: 'preheat', args: { type: 'image', url: 'https://r.example.org/v2/a/b/manifests/v1' } },
  },
  'GET /oapi/v1/jobs/{id}': { url: '/oapi/v1/jobs/7' },
};

/** What each route takes, told here once more: a scope that is given away by mistake fails. */
const WANTED: Readonly<Record<string, readonly Scope[]>> = {
  'GET /api/v1/version': [],
  'GET /healthy': [],
  'GET /api/v1/whoami': ['read', 'jobs', 'admin'],
  'DELETE /api/v1/tasks/{taskId}': ['admin'],
  'POST /api/v1/jobs': ['jobs', 'admin'],
  'POST /api/v1/jobs/{jobId}/cancel': ['jobs', 'admin'],
  'POST /oapi/v1/jobs': ['jobs', 'admin'],
  'GET /oapi/v1/jobs/{id}': ['read', 'jobs', 'admin'],
  'GET /api/v1/jobs': ['read', 'jobs', 'admin'],
  'GET /api/v1/jobs/{jobId}': ['read', 'jobs', 'admin'],
  'GET /api/v1/jobs/{jobId}/hosts': ['read', 'jobs', 'admin'],
  'GET /api/v1/jobs/{jobId}/watch': ['read', 'jobs', 'admin'],
};

test('each scope opens the routes that it is for, and no other', async () => {
  await using scene = await gatewayScene();
  const routes = gatewayRoutes({ harborLogin: 'token' } as GatewayWorld);
  const names = routes.map(({ method, path }) => `${method} ${path}`);
  expect(names.sort()).toEqual(Object.keys(REQUESTS).sort());
  for (const { method, path } of routes) {
    const name = `${method} ${path}`;
    const wanted = WANTED[name] ?? ['read', 'admin'];
    const { url, body } = REQUESTS[name] ?? { url: '' };
    const asked = { method, url, ...(body === undefined ? {} : { body }) };
    const anonymous = await scene.ask({ ...asked, token: '' });
    expect(anonymous.status === 401, `${name} without a token`).toBe(wanted.length > 0);
    for (const scope of SCOPES) {
      const { status } = await scene.ask({ ...asked, token: await scene.tokenWith(scope) });
      const may = wanted.length === 0 || wanted.includes(scope);
      expect([401, 403].includes(status), `${name} with ${scope}: ${status}`).toBe(!may);
    }
  }
});

test('a token that expired, was revoked, is another or is none lets nobody in', async () => {
  let wallMs = Date.now();
  const clock = { ...realClock, wall: () => wallMs };
  await using scene = await gatewayScene({}, {});
  const store = new TokenStore({ bus: scene.bus, clock, random: realRandom });
  const { text, record } = await store.create({ name: 'ci', scopes: ['read'], forMs: 1 });
  const url = '/api/v1/tasks';
  await vi.waitFor(async () => expect((await scene.ask({ url, token: text })).status).toBe(401));
  expect((await scene.ask({ url, token: text })).json().error.message).toContain('expired');

  const fresh = await store.create({ name: 'ci', scopes: ['read'], forMs: 60_000 });
  expect((await scene.ask({ url, token: fresh.text })).status).toBe(200);
  const last = fresh.text.endsWith('A') ? 'B' : 'A';
  expect((await scene.ask({ url, token: `${fresh.text.slice(0, -1)}${last}` })).status).toBe(401);
  for (const token of ['nonsense', `shoal_${'0'.repeat(16)}_${'A'.repeat(43)}`, fresh.text.slice(0, -1)]) {
    expect((await scene.ask({ url, token })).status).toBe(401);
  }
  expect((await store.revoke(fresh.record.id)).map(({ id }) => id)).toEqual([fresh.record.id]);
  await vi.waitFor(async () => expect((await scene.ask({ url, token: fresh.text })).status).toBe(401), 5_000);

  wallMs += 1_000;
  expect((await store.revoke(undefined)).map(({ id }) => id)).toEqual([record.id]);
  await expect(store.revoke('ci')).rejects.toThrow(expect.objectContaining({ code: 'ERR_TOKEN_NOT_FOUND' }));
});

test('only a hash of a token is kept', async () => {
  await using scene = await gatewayScene();
  const { text } = await scene.tokens.create({ name: 'ci', scopes: ['read', 'jobs'], forMs: 60_000 });
  const secret = text.split('_').slice(2).join('_');
  const entries = await scene.bus.directory('tokens').entries();
  expect(entries.length).toBeGreaterThan(0);
  for (const { key, value } of entries) {
    expect(`${key} ${Buffer.from(value).toString()}`).not.toContain(secret);
  }
});

test('a token may come as the password of a login, or in a header of its own', async () => {
  await using scene = await gatewayScene();
  const token = await scene.tokenWith('read');
  const basic = `Basic ${Buffer.from(`harbor:${token}`).toString('base64')}`;
  const status = async (headers: Record<string, string>) =>
    (await scene.ask({ url: '/api/v1/hosts', token: '', headers })).status;
  expect(await status({ authorization: basic })).toBe(200);
  expect(await status({ authorization: `bearer ${token}` })).toBe(200);
  expect(await status({ 'x-shoal-token': token })).toBe(200);
  expect(await status({ authorization: 'Basic !!!' })).toBe(401);
  expect(await status({ authorization: `Digest ${token}` })).toBe(401);
});

test('while the store is out of reach a token that is not known is neither let in nor called wrong', async () => {
  await using scene = await gatewayScene();
  const token = await scene.tokenWith('read');
  scene.bus.setConnected(false);
  const answer = await scene.ask({ url: '/api/v1/hosts', token });
  expect(answer.status).toBe(503);
  expect(answer.json().error.code).toBe('ERR_BUS_UNAVAILABLE');
});
