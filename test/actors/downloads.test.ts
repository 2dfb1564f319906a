import { afterEach, expect, test, vi } from 'vitest';
import { ShoalError } from '../../core/errors.ts';
import type { SimHost } from '../../sim/host.ts';
import { SimOrigin } from '../../sim/origin.ts';
import { createSimulation } from '../../sim/world.ts';
import { delivered, digestOf, MIB, URL_A } from '../sim/scene.ts';

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
