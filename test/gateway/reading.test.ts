import { expect, test } from 'vitest';
import { ShoalError } from '../../core/errors.ts';
import { PARTITIONS } from '../../core/ids.ts';
import { hostId } from '../scheduling/world.ts';
import { taskAt } from './double.ts';
import { gatewayScene, PARTS, SCHEDULER } from './scene.ts';

type Ask = Awaited<ReturnType<typeof gatewayScene>>['ask'];

/** All rows of a list, page by page. */
async function all<R>(ask: Ask, path: string, field: string): Promise<R[]> {
  const rows: R[] = [];
  for (let cursor: string | undefined = ''; cursor !== undefined; ) {
    const joint = path.includes('?') ? '&' : '?';
    const page = (await ask({ url: cursor === '' ? path : `${path}${joint}cursor=${cursor}` })).json();
    rows.push(...page[field]);
    cursor = page.next;
  }
  return rows;
}

test('tasks are listed by id, page by page, each once', async () => {
  await using scene = await gatewayScene({ tasks: 250 });
  const rows = await all<{ taskId: string }>(scene.ask, '/api/v1/tasks?limit=100', 'tasks');
  const numbered = Array.from({ length: 250 }, (_, index) => taskAt(index));
  expect(rows.map(({ taskId }) => taskId).filter((id) => id.startsWith('url-'))).toEqual(numbered);
  const first = (await scene.ask({ url: '/api/v1/tasks?limit=3' })).json();
  expect(first.tasks).toHaveLength(3);
});

test('tasks are searched by id, digest, URL, image and state', async () => {
  await using scene = await gatewayScene({ tasks: 5_000 });
  const ids = async (query: string) =>
    (await all<{ taskId: string }>(scene.ask, `/api/v1/tasks?limit=500&${query}`, 'tasks')).map(
      ({ taskId }) => taskId,
    );
  expect(await ids(`id=${taskAt(4_321)}`)).toEqual([taskAt(4_321)]);
  expect(await ids(`id=${taskAt(0x120).slice(0, -1)}`)).toHaveLength(16);
  expect(await ids('id=sha256:bbbb')).toEqual([`sha256-${'b'.repeat(64)}`]);
  expect(await ids('url=/blobs/4999')).toEqual([taskAt(4_999)]);
  expect(await ids('state=distributing&url=team')).toEqual([]);
  const ofImage = await ids('image=registry.example.org/team/app:v1&state=idle');
  expect(ofImage.filter((id) => id.startsWith('url-'))).toHaveLength(2_500);
  expect(await ids('image=alpine')).toEqual([]);
});

test('a task is shown, and its hosts by the page', async () => {
  await using scene = await gatewayScene({ hosts: 700, holders: 650 });
  const shown = (await scene.ask({ url: `/api/v1/tasks/${taskAt(3)}` })).json();
  expect(shown).toMatchObject({ taskId: taskAt(3), holders: 650, state: 'idle' });
  expect(shown).not.toHaveProperty('peers');
  const hosts = await all<{ hostId: string }>(
    scene.ask,
    `/api/v1/tasks/${taskAt(3)}/hosts?limit=200`,
    'hosts',
  );
  expect(hosts.map((row) => row.hostId)).toEqual(Array.from({ length: 650 }, (_, index) => hostId(index)));
  const digest = (await scene.ask({ url: `/api/v1/tasks/sha256:${'A'.repeat(64)}` })).json();
  expect(digest.taskId).toBe(`sha256-${'a'.repeat(64)}`);
  expect((await scene.ask({ url: `/api/v1/tasks/${taskAt(999)}` })).status).toBe(404);
  expect((await scene.ask({ url: '/api/v1/tasks/nonsense' })).status).toBe(400);
});

test('a task is explained host by host, page by page', async () => {
  await using scene = await gatewayScene({ holders: 4 });
  const url = `/api/v1/tasks/${taskAt(1)}/explain`;
  const hosts = await all<{ hostId: string }>(scene.ask, `${url}?limit=3`, 'hosts');
  expect(hosts.map((row) => row.hostId)).toEqual([0, 1, 2, 3].map(hostId));
  const one = (await scene.ask({ url: `${url}?host=${hostId(2)}` })).json();
  expect(one.hosts).toMatchObject([{ hostId: hostId(2), toldBy: 'scheduler' }]);
  expect(one.heard).toMatchObject({ scheduler: true, hosts: 0 });
});

test('a task is removed everywhere by an administrator', async () => {
  await using scene = await gatewayScene();
  const gone = await scene.ask({ method: 'DELETE', url: `/api/v1/tasks/${taskAt(2)}` });
  expect(gone.json()).toEqual({ taskId: taskAt(2), hosts: 3 });
  expect(scene.scheduler.removed).toEqual([taskAt(2)]);
  expect((await scene.ask({ method: 'DELETE', url: `/api/v1/tasks/${taskAt(99)}` })).status).toBe(404);
});

test('hosts are listed, filtered and shown', async () => {
  await using scene = await gatewayScene({ hosts: 230 });
  const ids = async (query: string) =>
    (await all<{ hostId: string }>(scene.ask, `/api/v1/hosts?limit=50&${query}`, 'hosts')).map(
      (row) => row.hostId,
    );
  expect(await ids('')).toHaveLength(230);
  expect(await ids('role=seed')).toEqual([hostId(0), hostId(100), hostId(200)]);
  expect(await ids('zone=rack7&label=disk%3Dhdd')).toHaveLength(12);
  expect(await ids('zone=rack7&label=disk%3Dssd')).toEqual([]);
  expect(await ids('ip=10.0.0.5')).toEqual([hostId(5)]);
  expect(await ids(`id=${hostId(17)}`)).toEqual([hostId(17)]);
  expect((await scene.ask({ url: `/api/v1/hosts/${hostId(9)}` })).json()).toMatchObject({ ip: '10.0.0.9' });
  expect((await scene.ask({ url: `/api/v1/hosts/${hostId(999)}` })).status).toBe(404);
  expect((await scene.ask({ url: '/api/v1/hosts?label=nonsense' })).status).toBe(400);
});

test('which hosts hold an image, and how much of it, is told by the page', async () => {
  await using scene = await gatewayScene({ hosts: 30, holders: 25 });
  const url = '/api/v1/images/hosts?image=alpine:3.20&limit=10';
  const rows = await all<{ hostId: string }>(scene.ask, url, 'hosts');
  expect(rows.map((row) => row.hostId)).toEqual(Array.from({ length: 25 }, (_, index) => hostId(index)));
  const page = (await scene.ask({ url })).json();
  expect(page).toMatchObject({ image: 'docker.io/library/alpine:3.20', parts: PARTS.length, bytes: 3_000 });
  expect(page.hosts[0]).toEqual({ hostId: hostId(0), parts: 2, bytes: 2_000, complete: false });
  expect((await scene.ask({ url: '/api/v1/images/hosts?image=alpine:two:tags' })).status).toBe(400);
});

test('an image that its registry does not have is not found', async () => {
  const missing = new ShoalError(
    'ERR_SOURCE_NOT_FOUND',
    'the registry has no docker.io/library/nothing:latest',
  );
  await using scene = await gatewayScene({}, { imageParts: () => Promise.reject(missing) });
  const answer = await scene.ask({ url: '/api/v1/images/hosts?image=nothing' });
  expect(answer.status).toBe(404);
  expect(answer.json().error).toMatchObject({
    code: 'ERR_SOURCE_NOT_FOUND',
    fix: expect.stringContaining('URL'),
  });
});

test('schedulers, partitions and the status are what schedulers say', async () => {
  await using scene = await gatewayScene();
  expect((await scene.ask({ url: '/api/v1/schedulers' })).json()).toEqual({ schedulers: [SCHEDULER] });
  const rows = await all<{ partition: number }>(scene.ask, '/api/v1/partitions?limit=10', 'partitions');
  expect(rows.map(({ partition }) => partition)).toEqual(
    Array.from({ length: PARTITIONS }, (_, index) => index),
  );
  const own = await all(scene.ask, `/api/v1/partitions?scheduler=${SCHEDULER.schedulerId}`, 'partitions');
  expect(own).toHaveLength(63);
  expect((await scene.ask({ url: '/api/v1/status' })).json()).toEqual({
    swarm: 'shoal',
    version: '0.1.0',
    nats: 'connected',
    schedulers: 1,
    hosts: 5,
    tasks: 20,
    partitions: { served: 63, unserved: [63] },
  });
  expect((await scene.ask({ url: '/api/v1/version', token: '' })).json()).toEqual({ version: '0.1.0' });
});

test('without NATS a list says so, and that it may be asked again', async () => {
  await using scene = await gatewayScene();
  await scene.ask({ url: '/api/v1/tasks' });
  scene.bus.setConnected(false);
  const answer = await scene.ask({ url: '/api/v1/tasks' });
  expect(answer.status).toBe(503);
  expect(answer.headers['retry-after']).toBe('1');
  expect(answer.json().error).toMatchObject({ code: 'ERR_BUS_UNAVAILABLE', retryable: true });
});
