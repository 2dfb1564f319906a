import { expect, test } from 'vitest';
import { createSimulation } from '../../sim/world.ts';
import { delivered, MIB } from './scene.ts';

const LINK = 6_250_000;

/** Eight hosts that ask for the same contents at once: time of the last over that of one link alone, and copies read. */
async function pulled(lengths: readonly number[]): Promise<{ ratio: number; copies: number }> {
  const sim = createSimulation({ seed: 5, hosts: 8, linkBytesPerSec: LINK });
  sim.start();
  await sim.run(2_500);
  const contents = lengths.map((length, at) => sim.publish(`http://origin.test/${at}`, length));
  const begunMs = sim.clock.now();
  const gets = sim.hosts.flatMap((host) =>
    contents.map((content, at) => ({ content, get: host.get({ resource: `http://origin.test/${at}` }) })),
  );
  expect(await sim.run(120_000, () => gets.every(({ get }) => get.state !== 'running'))).toBe(true);
  const tookMs = sim.clock.now() - begunMs;
  for (const { content, get } of gets) expect(await delivered(get, content)).toBe(true);
  const total = lengths.reduce((sum, length) => sum + length, 0);
  return { ratio: tookMs / ((total / LINK) * 1000), copies: sim.origin.bodyBytes / total };
}

test('forty small contents at once take a link little more than its time, and the origin gives one copy', async () => {
  const { ratio, copies } = await pulled(
    Array.from({ length: 40 }, (_, index) => 65_536 * (1 + (index % 16))),
  );
  // 2.5 where every child asked the only holder at once.
  expect(ratio).toBeLessThan(1.7);
  expect(copies).toBeLessThanOrEqual(1.001);
});

test('twelve contents of 256 KiB to 10 MiB at once take a link little more than its time', async () => {
  const lengths = [40, 32, 24, 20, 16, 12, 8, 6, 4, 3, 2, 1].map((quarter) => (quarter * MIB) / 4);
  const { ratio, copies } = await pulled(lengths);
  expect(ratio).toBeLessThan(1.25);
  expect(copies).toBeLessThanOrEqual(1.01);
});
