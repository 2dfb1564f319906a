import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { SHOAL, startChild, startCommand, until } from '../../support/child.ts';
import { MIB } from '../../support/files.ts';
import { freePort } from '../../support/free-port.ts';
import { note, openScene, SIZE } from './scene.ts';

const residentMib = (pid: number) =>
  Number(/^VmRSS:\s+(\d+) kB/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1]) / 1024;

test('over HTTP a swarm is listed, explained, watched and changed; NATS and the gateway may be restarted', async () => {
  const scene = await openScene();
  const { swarm } = scene;
  const port = await freePort('127.0.0.1');
  const flags = ['--nats', swarm.natsUrl, '--gateway-port', String(port), '--admin-port', '0'];
  const start = () => startChild([...SHOAL, 'gateway', ...flags], join(scene.dir, 'gateway.log'));
  let gateway = start();
  onTestFinished(() => gateway.stop());
  const create = ['token', 'create', 'test', '--scope', 'admin', '--json', '--nats', swarm.natsUrl];
  const made = await startCommand([...SHOAL, ...create]).done;
  const headers = { authorization: `Bearer ${JSON.parse(made.stdout).token}` };
  const api = `http://127.0.0.1:${port}/api/v1`;
  const ask = async (path: string, init: RequestInit = {}) => {
    const answer = await fetch(`${api}${path}`, { headers, ...init });
    return { status: answer.status, body: JSON.parse(await answer.text()) };
  };
  const healthy = () =>
    ask('/status').then(
      ({ body }) =>
        (body.schedulers === 1 && body.hosts === 5 && body.partitions.unserved.length === 0) || undefined,
      () => undefined,
    );
  await until('the gateway to know the swarm', healthy);

  const got = await swarm.get('peer1', scene.url).done;
  const taskId = got.result?.taskId ?? '';
  expect(taskId).not.toBe('');
  // The host that asked, and the seed that read the origin with it.
  const found = await until('both to be holders', async () => {
    const { body } = await ask(`/tasks?url=${encodeURIComponent(scene.url)}`);
    return body.tasks[0]?.holders === 2 ? body : undefined;
  });
  expect(found.tasks).toMatchObject([{ taskId, length: SIZE, holders: 2 }]);
  const { body: explained } = await ask(`/tasks/${taskId}/explain`);
  expect(explained.heard).toMatchObject({ hosts: 2 });
  expect(explained.bytes.origin).toBeGreaterThanOrEqual(SIZE);
  expect(explained.bytes.origin).toBeLessThanOrEqual(1.02 * SIZE);
  expect((await ask('/hosts?role=seed')).body.hosts).toHaveLength(1);
  expect((await ask('/hosts?limit=3')).body).toMatchObject({
    hosts: { length: 3 },
    next: expect.any(String),
  });

  const events = await fetch(`${api}/events?type=api`, { headers });
  const reader = events.body?.pipeThrough(new TextDecoderStream()).getReader();
  const gone = await ask(`/tasks/${taskId}`, { method: 'DELETE' });
  expect(gone.body).toEqual({ taskId, hosts: 2 });
  let told = '';
  while (!told.includes('task.remove')) told += (await reader?.read())?.value ?? '';
  expect(told).toContain('"who":"test"');
  await reader?.cancel();
  await until('the cache to be empty', async () =>
    (await swarm.status('peer1')).cache.bytes < MIB ? true : undefined,
  );

  note(`gateway: ${residentMib(gateway.pid).toFixed(0)} MiB resident`);
  await swarm.kill('nats');
  await until('it to say that NATS is away', async () =>
    (await ask('/hosts')).status === 503 ? true : undefined,
  );
  swarm.start('nats');
  await until('it to be there again', healthy);
  await gateway.stop();
  gateway = start();
  await until('another gateway to let the same token in', healthy);
  expect((await fetch(`${api}/hosts`)).status).toBe(401);
});
