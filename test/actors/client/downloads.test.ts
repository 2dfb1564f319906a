import { afterEach, expect, test, vi } from 'vitest';
import { ShoalError } from '../../../core/errors.ts';
import type { TaskId } from '../../../core/ids.ts';
import type { SimHost } from '../../../sim/host.ts';
import { SimOrigin } from '../../../sim/origin.ts';
import { createSimulation } from '../../../sim/world.ts';
import { delivered, digestOf, MIB, URL_A } from '../../sim/scene.ts';

afterEach(() => {
  vi.restoreAllMocks();
});

test.each([
  'Host',
  'range',
  'Content-Length',
  'CONNECTION',
  'transfer-encoding',
  'TE',
  'Upgrade',
  'If-None-Match',
  'if-match',
  'if-range',
  'If-Modified-Since',
  'if-unmodified-since',
  'accept-encoding',
])('a client may not set %s, and is told so by name', async (name) => {
  const sim = createSimulation({ seed: 1, hosts: 1, linkBytesPerSec: MIB });
  const content = sim.publish(URL_A, MIB);
  sim.start();
  await sim.run(2_500);
  const [host] = sim.hosts as [SimHost];
  for (const resource of [URL_A, digestOf(content)]) {
    const get = host.get({ resource, headers: { authorization: 'Basic YTpi', [name]: 'x' } });
    await sim.run(1_000, () => get.state !== 'running');
    expect(get.error).toMatchObject({ code: 'ERR_CONFIG_INVALID' });
    expect(get.error?.message).toContain(name);
  }
  expect(sim.origin.bodyBytes).toBe(0);
});

/** Every task of this host's store fails to be sealed. */
function breakSeal({ store }: SimHost): void {
  const create = store.create.bind(store);
  vi.spyOn(store, 'create').mockImplementation(async (record) => {
    const stored = await create(record);
    vi.spyOn(stored, 'seal').mockRejectedValue(new ShoalError('ERR_STORE_IO', 'no seal'));
    return stored;
  });
}

test('content that cannot be sealed is not given out: the download fails with the reason', async () => {
  const sim = createSimulation({ seed: 1, hosts: 2, linkBytesPerSec: 4 * MIB });
  const content = sim.publish(URL_A, MIB);
  sim.start();
  await sim.run(2_500);
  const [broken, sound] = sim.hosts as [SimHost, SimHost];
  breakSeal(broken);
  const gets = [broken, sound].map((host) => host.get({ resource: URL_A, digest: digestOf(content) }));
  await sim.run(30_000, () => gets.every(({ state }) => state !== 'running'));
  expect(gets[0]?.error).toMatchObject({ code: 'ERR_STORE_IO', message: 'no seal' });
  expect(gets[1] && (await delivered(gets[1], content))).toBe(true);
});

test('where the policy of the host refuses the origin, the error says so and not that a flag forbids it', async () => {
  const sim = createSimulation({ seed: 1, hosts: 1, linkBytesPerSec: MIB });
  vi.spyOn(SimOrigin.prototype, 'allows').mockReturnValue(false);
  sim.publish(URL_A, MIB);
  sim.start();
  await sim.run(2_500);
  const [host] = sim.hosts as [SimHost];
  const gets = [false, true].map((noOrigin) => host.get({ resource: URL_A, noOrigin }));
  await sim.run(30_000, () => gets.every(({ state }) => state !== 'running'));
  expect(gets.map(({ error }) => error?.code)).toEqual([
    'ERR_SOURCE_ADDRESS_REFUSED',
    'ERR_SOURCE_FORBIDDEN',
  ]);
  expect(gets[0]?.error?.message).toContain('origin.test:80');
  expect(sim.origin.requests).toEqual([]);
});

test('a reader that goes away between two chunks ends its download, though nobody returns the generator', async () => {
  const sim = createSimulation({ seed: 1, hosts: 1, linkBytesPerSec: MIB });
  const content = sim.publish(URL_A, 12 * MIB);
  sim.start();
  await sim.run(2_500);
  const [host] = sim.hosts as [SimHost];
  const gone = new AbortController();
  const first = host.stream({ resource: URL_A, digest: digestOf(content) }, gone.signal)?.next();
  let isThere = false;
  void first?.then(() => {
    isThere = true;
  });
  expect(await sim.run(10_000, () => isThere)).toBe(true);
  gone.abort(new ShoalError('ERR_CANCELLED', 'the client went away'));
  await sim.run(30_000);
  expect(sim.origin.bodyBytes).toBeLessThan(6 * MIB);
});

test('a reader of cached content that goes away between two chunks leaves nothing in use, and gets no end', async () => {
  const sim = createSimulation({ seed: 1, hosts: 1, linkBytesPerSec: 8 * MIB });
  const content = sim.publish(URL_A, 4 * MIB);
  sim.start();
  await sim.run(2_500);
  const [host] = sim.hosts as [SimHost];
  const get = host.get({ resource: URL_A });
  await sim.run(30_000, () => get.state !== 'running');
  const stored = await host.store.open(get.result?.taskId as TaskId);
  if (stored === undefined) throw new Error('nothing is cached');
  vi.spyOn(host.store, 'open').mockResolvedValue(stored);
  let pins = 0;
  const pin = stored.pin.bind(stored);
  vi.spyOn(stored, 'pin').mockImplementation(() => {
    const release = pin();
    pins += 1;
    return () => {
      pins -= 1;
      release();
    };
  });
  const gone = new AbortController();
  const chunks = host.stream({ resource: URL_A }, gone.signal);
  const first = chunks?.next();
  let taken = 0;
  void first?.then(({ value }) => {
    taken = value.length;
  });
  await sim.run(5_000, () => taken > 0);
  expect(taken).toBeLessThan(content.bytes.length);
  expect(pins).toBe(1);
  gone.abort(new ShoalError('ERR_CANCELLED', 'the client went away'));
  await sim.run(100);
  expect(pins).toBe(0);
  await expect(chunks?.next()).rejects.toMatchObject({ code: 'ERR_CANCELLED' });
});
