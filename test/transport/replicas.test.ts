import { afterEach, expect, test, vi } from 'vitest';
import type { Bus } from '../../transport/bus.ts';
import { connectNatsBus } from '../../transport/nats-bus.ts';
import { startChild } from '../support/child.ts';
import { askJetStream } from '../support/jetstream-api.ts';
import { startNats } from '../support/nats-server.ts';
import { natsServers } from '../support/nats-servers.ts';
import { tempDir } from '../support/temp-dir.ts';

const open: AsyncDisposable[] = [];
afterEach(async () => {
  for (const each of open.splice(0).reverse()) await each[Symbol.asyncDispose]();
});

function use<T extends AsyncDisposable>(one: T): T {
  open.push(one);
  return one;
}

function connected(servers: string, replicas?: number): { bus: Bus; warned: string[] } {
  const warned: string[] = [];
  const log = () => undefined;
  const warn = (fields: object, message: string) => void warned.push(`${message} ${JSON.stringify(fields)}`);
  const logger = { debug: log, info: log, warn, error: log };
  const bus = connectNatsBus({ servers, name: 'tester', swarm: 'test', replicas, logger });
  use({ [Symbol.asyncDispose]: () => bus.close() });
  return { bus, warned };
}

/** Puts a key as soon as there is a store. */
function put({ bus }: { bus: Bus }, key: string): Promise<number> {
  return vi.waitFor(() => bus.directory('ownership').put(key, new Uint8Array([1]), 0), { interval: 100 });
}

async function replicas(servers: string): Promise<number | undefined> {
  return (await askJetStream(servers, 'STREAM.INFO.KV_test-ownership')).config?.num_replicas;
}

test('a stream made while a cluster had two servers is kept by three as soon as there are three, and by no fewer again', async () => {
  const dir = use(await tempDir());
  const servers = await natsServers({ dir: dir.path, count: 3 });
  const start = (name: string) => {
    const child = startChild(servers.get(name)?.command ?? [], `${dir.path}/${name}.log`);
    use({ [Symbol.asyncDispose]: () => child.stop() });
  };
  for (const name of ['nats', 'nats2']) start(name);
  const urls = [...servers.values()].map(({ url }) => url).join(',');
  const one = connected(urls);
  await put(one, 'a');
  expect(await replicas(urls)).toBe(1);
  expect(one.warned.join()).toContain('fewer servers of nats keep a stream than should');
  start('nats3');
  await vi.waitFor(
    async () => {
      await one.bus.directory('ownership').get('a');
      expect(await replicas(urls)).toBe(3);
    },
    { interval: 500 },
  );
  await put(connected(urls, 1), 'b');
  expect(await replicas(urls)).toBe(3);
});

test('more servers than there are is no error: one keeps it, and that is said once', async () => {
  const nats = use(await startNats());
  const three = connected(nats.url, 3);
  await put(three, 'a');
  await put(three, 'b');
  expect(await replicas(nats.url)).toBe(1);
  expect(three.warned.filter((line) => line.includes('fewer servers'))).toHaveLength(1);
  const any = connected(nats.url);
  await put(any, 'c');
  expect(any.warned).toEqual([]);
});
