import { mkdirSync, readFileSync } from 'node:fs';
import { connect } from 'node:net';
import { join } from 'node:path';
import { expect, test, vi } from 'vitest';
import { startNatsServer } from '../../app/nats-server.ts';
import { silentLogger } from '../../core/logger.ts';
import { freePort } from '../support/free-port.ts';
import { tempDir } from '../support/temp-dir.ts';

function greeting(url: string): Promise<string> {
  const { hostname, port } = new URL(url);
  return new Promise((resolve, reject) => {
    const socket = connect({ host: hostname, port: Number(port) });
    socket.once('error', reject);
    socket.once('data', (data) => {
      socket.destroy();
      resolve(data.toString());
    });
  });
}

const alive = (pid: number): boolean => {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
};

test('a nats-server of our own has JetStream, comes back when it is killed, and goes with us', async () => {
  await using dir = await tempDir();
  const server = await startNatsServer({ dir: dir.path, logger: silentLogger, port: await freePort() });
  expect(await greeting(server.url)).toContain('"jetstream":true');
  const { pid } = server;
  process.kill(pid, 'SIGKILL');
  await vi.waitFor(() => expect(server.pid).not.toBe(pid), { interval: 50 });
  expect(await greeting(server.url)).toContain('INFO');
  const last = server.pid;
  await server[Symbol.asyncDispose]();
  expect(alive(last)).toBe(false);
});

test('a nats-server that a killed daemon left behind is ended first', async () => {
  await using dir = await tempDir();
  const options = { dir: dir.path, logger: silentLogger, port: await freePort() };
  const former = await startNatsServer(options);
  const formerPid = Number(readFileSync(join(dir.path, 'nats-server.pid'), 'utf8'));
  expect(formerPid).toBe(former.pid);
  const next = await startNatsServer({ ...options, port: await freePort() });
  expect(next.pid).not.toBe(formerPid);
  await former[Symbol.asyncDispose]();
  await next[Symbol.asyncDispose]();
});

test('where the port is taken, another one is', async () => {
  await using dir = await tempDir();
  const port = await freePort();
  mkdirSync(join(dir.path, 'a'));
  const first = await startNatsServer({ dir: join(dir.path, 'a'), logger: silentLogger, port });
  const second = await startNatsServer({ dir: join(dir.path, 'b'), logger: silentLogger, port });
  expect(second.url).not.toBe(first.url);
  await Promise.all([first[Symbol.asyncDispose](), second[Symbol.asyncDispose]()]);
});

test('without nats-server the ways to one are named', async () => {
  await using dir = await tempDir();
  const start = startNatsServer({ dir: dir.path, logger: silentLogger, folders: [dir.path] });
  await expect(start).rejects.toMatchObject({ code: 'ERR_CONFIG_NATS_SERVER_MISSING' });
});
