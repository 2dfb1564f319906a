import type { AddressInfo } from 'node:net';
import { describe, expect, test } from 'vitest';
import { jobIdOf } from '../../core/jobs.ts';
import { jobHost } from './fake-jobs.ts';
import { HarborClient, type HarborLogin } from './harbor-client.ts';
import { gatewayScene } from './scene.ts';

const IMAGE = {
  url: 'https://harbor.example.org/v2/library/app/manifests/v1',
  headers: { Authorization: 'Bearer of-the-registry' },
  scope: 'all_peers',
};

/** A scene that listens, and its address. */
async function listening(...parts: Parameters<typeof gatewayScene>) {
  const scene = await gatewayScene(...parts);
  await scene.app.listen({ host: '127.0.0.1', port: 0 });
  const { port } = scene.app.server.address() as AddressInfo;
  return { scene, endpoint: `http://127.0.0.1:${port}/` };
}

/** The job behind Harbor's number. */
const jobOf = (id: number) => jobIdOf(`harbor:${id}`);

describe('logins', () => {
  test.each(['NONE', 'BASIC', 'CUSTOM', 'OAUTH'] as const)('Harbor logs in by %s', async (mode) => {
    const { scene, endpoint } = await listening({}, mode === 'NONE' ? { harborLogin: 'none' } : {});
    await using _ = scene;
    const token = await scene.tokenWith('jobs');
    const login: HarborLogin = {
      NONE: { mode: 'NONE' as const },
      BASIC: { mode: 'BASIC' as const, username: 'harbor', password: token },
      CUSTOM: { mode: 'CUSTOM' as const, key: 'X-Shoal-Token', value: token },
      OAUTH: { mode: 'OAUTH' as const, token },
    }[mode];
    const harbor = new HarborClient(endpoint, login);
    await harbor.health();
    const { id, state } = await harbor.preheat(IMAGE);
    expect([state, id > 0]).toEqual(['PENDING', true]);
    expect((await harbor.progress(id)).id).toBe(id);
  });

  test('without its token Harbor is refused, and with one that may only read', async () => {
    const { scene, endpoint } = await listening();
    await using _ = scene;
    const harbor = new HarborClient(endpoint, { mode: 'NONE' });
    await harbor.health();
    await expect(harbor.preheat(IMAGE)).rejects.toThrow('401');
    await expect(harbor.progress(7)).rejects.toThrow('401');
    const reader = new HarborClient(endpoint, { mode: 'OAUTH', token: await scene.tokenWith('read') });
    await expect(reader.preheat(IMAGE)).rejects.toThrow('403');
    const wrong = { mode: 'BASIC', username: 'harbor', password: 'wrong' } as const;
    await expect(new HarborClient(endpoint, wrong).preheat(IMAGE)).rejects.toThrow('401');
  });
});

test('what Harbor asks becomes a job, and its registry headers go along in memory alone', async () => {
  await using scene = await gatewayScene();
  const token = await scene.tokenWith('jobs');
  const asked: unknown[] = [];
  for (const scope of ['single_seed_peer', 'all_seed_peers', 'all_peers']) {
    const args = { type: 'image', ...IMAGE, scope };
    const answer = await scene.ask({
      method: 'POST',
      url: '/oapi/v1/jobs',
      body: { type: 'preheat', args },
      token,
    });
    expect(answer.text).not.toContain('of-the-registry');
    asked.push(scene.jobs.asked.at(-1)?.request.targets);
  }
  expect(asked).toEqual([{ role: 'seed', count: 1 }, { role: 'seed' }, { role: 'any' }]);
  expect(scene.jobs.asked[0]).toMatchObject({
    request: { kind: 'preheat', what: ['harbor.example.org/library/app:v1'] },
    options: { headers: IMAGE.headers },
  });
  expect(JSON.stringify([...scene.jobs.records])).not.toContain('of-the-registry');
});

test.each([
  ['https://registry-1.docker.io/v2/library/alpine/manifests/3.20', 'docker.io/library/alpine:3.20'],
  ['https://index.docker.io/v2/library/alpine/manifests/3.20', 'docker.io/library/alpine:3.20'],
  [
    `https://harbor.local:8443/v2/a/b/c/manifests/sha256:${'a'.repeat(64)}`,
    `harbor.local:8443/a/b/c@sha256:${'a'.repeat(64)}`,
  ],
])('the manifest %s is the image %s', async (url, image) => {
  await using scene = await gatewayScene();
  const body = { type: 'preheat', args: { type: 'image', url } };
  expect((await scene.ask({ method: 'POST', url: '/oapi/v1/jobs', body })).status).toBe(200);
  expect(scene.jobs.asked[0]?.request.what).toEqual([image]);
});

test('a file is preheated by its URL', async () => {
  await using scene = await gatewayScene();
  const args = { type: 'file', url: 'https://example.org/model.bin', concurrent_count: 3 };
  const answer = await scene.ask({ method: 'POST', url: '/oapi/v1/jobs', body: { type: 'preheat', args } });
  expect(answer.status).toBe(200);
  expect(scene.jobs.asked[0]?.request).toMatchObject({ what: [args.url], concurrency: 3 });
});

test('a preheat is pending, then done on each host', async () => {
  const { scene, endpoint } = await listening();
  await using _ = scene;
  const harbor = new HarborClient(endpoint, { mode: 'OAUTH', token: await scene.tokenWith('jobs') });
  const { id } = await harbor.preheat(IMAGE);
  scene.jobs.change(jobOf(id), { state: 'running', startedAtMs: 1_767_225_601_000 }, [jobHost(0, 'running')]);
  expect(await harbor.progress(id)).toMatchObject({ state: 'PENDING', result: { job_states: [] } });
  scene.jobs.change(jobOf(id), { state: 'succeeded', endedAtMs: 1_767_225_602_000 }, [
    jobHost(0, 'succeeded'),
    jobHost(1, 'succeeded'),
  ]);
  const done = await harbor.progress(id);
  expect(done).toMatchObject({ id, state: 'SUCCESS', updated_at: '2026-01-01T00:00:02.000Z' });
  const url = 'harbor.example.org/library/app:v1';
  expect(done.result.job_states).toEqual([
    {
      error: '',
      results: [
        {
          success_tasks: [
            { url, hostname: 'node-0', ip: '10.0.0.1' },
            { url, hostname: 'node-1', ip: '10.0.0.2' },
          ],
          failure_tasks: [],
          scheduler_cluster_id: 1,
        },
      ],
    },
  ]);
});

test('a preheat that fails on one host fails, and says where and why', async () => {
  const { scene, endpoint } = await listening();
  await using _ = scene;
  const harbor = new HarborClient(endpoint, { mode: 'OAUTH', token: await scene.tokenWith('jobs') });
  const { id } = await harbor.preheat(IMAGE);
  const failures = [
    { resource: 'https://harbor.example.org/v2/x', code: 'ERR_STORE_FULL', message: 'no space' },
  ];
  const error = { code: 'ERR_JOB_FAILED', message: '1 of 2 hosts failed' };
  scene.jobs.change(jobOf(id), { state: 'failed', endedAtMs: 1_767_225_602_000, error }, [
    jobHost(0, 'succeeded'),
    jobHost(1, 'failed', { failures }),
  ]);
  const { state, result } = await harbor.progress(id);
  expect(state).toBe('FAILURE');
  const [told] = result.job_states;
  expect(told?.error).toContain(
    'node-1 (10.0.0.2): https://harbor.example.org/v2/x: no space (ERR_STORE_FULL)',
  );
  expect(told?.error).toContain('1 of 2 hosts have all of it');
  expect(told?.results[0]?.success_tasks).toHaveLength(1);
  expect(told?.results[0]?.failure_tasks).toMatchObject([
    { hostname: 'node-1', description: expect.any(String) },
  ]);
});

test('a preheat whose headers were lost, or that was cancelled, fails and says so', async () => {
  const { scene, endpoint } = await listening();
  await using _ = scene;
  const harbor = new HarborClient(endpoint, { mode: 'OAUTH', token: await scene.tokenWith('jobs') });
  const lost = await harbor.preheat(IMAGE);
  const error = { code: 'ERR_JOB_HEADERS_LOST', message: 'the gateway that had the headers has ended' };
  scene.jobs.change(jobOf(lost.id), { state: 'failed', error });
  const told = await harbor.progress(lost.id);
  expect([told.state, told.result.job_states[0]?.error]).toEqual([
    'FAILURE',
    expect.stringContaining(error.code),
  ]);
  const cancelled = await harbor.preheat(IMAGE);
  scene.jobs.change(jobOf(cancelled.id), { state: 'cancelled' });
  const { state, result } = await harbor.progress(cancelled.id);
  expect([state, result.job_states[0]?.error]).toEqual(['FAILURE', 'cancelled']);
});

test('the results of a thousand hosts are told, those that failed first', async () => {
  await using scene = await gatewayScene();
  const body = { type: 'preheat', args: { type: 'image', ...IMAGE } };
  const { id } = (await scene.ask({ method: 'POST', url: '/oapi/v1/jobs', body })).json();
  const hosts = Array.from({ length: 1_500 }, (_, index) =>
    jobHost(index, index < 1_490 ? 'succeeded' : 'failed'),
  );
  scene.jobs.change(jobOf(id), { state: 'failed' }, hosts);
  const [told] = (await scene.ask({ url: `/oapi/v1/jobs/${id}` })).json().result.job_states;
  expect(told.results[0].failure_tasks).toHaveLength(10);
  expect(told.results[0].success_tasks).toHaveLength(990);
});

const args = { type: 'image', ...IMAGE };
test.each([
  ['nothing', undefined, 400],
  ['another type', { type: 'dance', args }, 400],
  ['no URL', { type: 'preheat', args: { ...args, url: '' } }, 400],
  [
    'a URL that is no manifest',
    { type: 'preheat', args: { ...args, url: 'https://harbor.example.org/x' } },
    400,
  ],
  [
    'a URL with a login',
    { type: 'preheat', args: { ...args, url: 'https://u:geheim@h/v2/a/manifests/b' } },
    400,
  ],
  ['a scope that there is not', { type: 'preheat', args: { ...args, scope: 'everybody' } }, 400],
  ['headers that are no texts', { type: 'preheat', args: { ...args, headers: { Authorization: 7 } } }, 400],
  ['a tag that is none', { type: 'preheat', args: { ...args, url: 'https://h/v2/a/manifests/%00' } }, 400],
])('Harbor is told what is wrong with %s', async (_, body, status) => {
  await using scene = await gatewayScene();
  const answer = await scene.ask({
    method: 'POST',
    url: '/oapi/v1/jobs',
    ...(body !== undefined && { body }),
  });
  expect(answer.status, answer.text).toBe(status);
  expect(answer.text).not.toMatch(/of-the-registry|geheim/);
  expect(answer.json().error.fix).not.toBe('');
});

test('a job that there is not is not found, and neither is one whose number is none', async () => {
  await using scene = await gatewayScene();
  expect((await scene.ask({ url: '/oapi/v1/jobs/123' })).status).toBe(404);
  for (const id of ['0', '-1', '1.5', 'x', '99999999999999999999']) {
    expect((await scene.ask({ url: `/oapi/v1/jobs/${id}` })).status, id).toBe(400);
  }
});
