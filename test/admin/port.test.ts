import { expect, test } from 'vitest';
import { startAdminPort } from '../../admin/port.ts';
import { silentLogger } from '../../core/logger.ts';

async function port(ready = true, metrics = async () => 'shoal_up 1\n') {
  return startAdminPort({
    adminListen: '127.0.0.1',
    adminPort: 0,
    health: () => ({ live: true, ready, checks: { nats: 'connected' } }),
    metrics,
    logger: silentLogger,
  });
}

test('health, readiness and metrics are shown over TCP', async () => {
  await using admin = await port(false);
  const base = `http://127.0.0.1:${admin.port}`;
  expect((await fetch(`${base}/healthz`)).status).toBe(200);
  const ready = await fetch(`${base}/readyz`);
  expect(ready.status).toBe(503);
  expect(await ready.json()).toEqual({ live: true, ready: false, checks: { nats: 'connected' } });
  const metrics = await fetch(`${base}/metrics`);
  expect(metrics.headers.get('content-type')).toContain('version=0.0.4');
  expect(await metrics.text()).toBe('shoal_up 1\n');
});

test.each(['/v1/status', '/v1/tasks', '/v1/get', '/'])(
  'nothing of the control API is on TCP: %s',
  async (path) => {
    await using admin = await port();
    const base = `http://127.0.0.1:${admin.port}`;
    expect((await fetch(base + path)).status).toBe(404);
    expect((await fetch(base + path, { method: 'POST', body: '{}' })).status).toBe(404);
  },
);

test('a failing metric says nothing of its cause', async () => {
  await using admin = await port(true, () => Promise.reject(new Error('secret')));
  const answer = await fetch(`http://127.0.0.1:${admin.port}/metrics`);
  expect(answer.status).toBe(500);
  expect(await answer.text()).not.toContain('secret');
});

test('a port in use is a clear error', async () => {
  await using first = await port();
  const second = startAdminPort({
    adminListen: '127.0.0.1',
    adminPort: first.port,
    health: () => ({ live: true, ready: true, checks: {} }),
    metrics: async () => '',
    logger: silentLogger,
  });
  await expect(second).rejects.toMatchObject({ code: 'ERR_CONFIG_INVALID' });
});
