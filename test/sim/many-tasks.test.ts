import { expect, test } from 'vitest';
import { createSimulation } from '../../sim/world.ts';
import { delivered, digestOf, MIB } from './scene.ts';

const LINK = 6_250_000;

interface Pulled {
  /** Time of the last host over that of one link alone. */
  readonly ratio: number;
  readonly copies: number;
  /** Requests to the origin of the host that sent the most, over those of all. */
  readonly mostShare: number;
}

/** Eight hosts that ask for the same contents at once, by URL or, as layers are, by digest. */
async function pulled(lengths: readonly number[], by: 'url' | 'digest' = 'url'): Promise<Pulled> {
  const sim = createSimulation({ seed: 5, hosts: 8, linkBytesPerSec: LINK });
  sim.start();
  await sim.run(2_500);
  const contents = lengths.map((length, at) => sim.publish(`http://origin.test/${at}`, length));
  const begunMs = sim.clock.now();
  const gets = sim.hosts.flatMap((host) =>
    contents.map((content, at) => {
      const named = by === 'url' ? {} : { digest: digestOf(content) };
      return { content, get: host.get({ resource: `http://origin.test/${at}`, ...named }) };
    }),
  );
  expect(await sim.run(120_000, () => gets.every(({ get }) => get.state !== 'running'))).toBe(true);
  const tookMs = sim.clock.now() - begunMs;
  for (const { content, get } of gets) expect(await delivered(get, content)).toBe(true);
  const total = lengths.reduce((sum, length) => sum + length, 0);
  const sent = new Map<string, number>();
  for (const { host } of sim.origin.requests) sent.set(host, (sent.get(host) ?? 0) + 1);
  const mostShare = Math.max(...sent.values()) / sim.origin.requests.length;
  return { ratio: tookMs / ((total / LINK) * 1000), copies: sim.origin.bodyBytes / total, mostShare };
}

const FORTY = Array.from({ length: 40 }, (_, index) => 65_536 * (1 + (index % 16)));

test('forty small contents at once take a link little more than its time, and the origin gives one copy', async () => {
  const { ratio, copies } = await pulled(FORTY);
  // 2.5 where every child asked the only holder at once.
  expect(ratio).toBeLessThan(1.5);
  expect(copies).toBeLessThanOrEqual(1.001);
});

test('forty small layers at once are read by all hosts alike, and take little more than the time of a link', async () => {
  const { ratio, copies, mostShare } = await pulled(FORTY, 'digest');
  // 1.55 where the first host to ask read them all; 1.19 where the first pieces were told no sooner than others.
  expect(ratio).toBeLessThan(1.16);
  expect(copies).toBeLessThanOrEqual(1.001);
  expect(mostShare).toBeLessThan(0.3);
});

test('twelve contents of 256 KiB to 10 MiB at once take a link little more than its time', async () => {
  const lengths = [40, 32, 24, 20, 16, 12, 8, 6, 4, 3, 2, 1].map((quarter) => (quarter * MIB) / 4);
  const { ratio, copies } = await pulled(lengths);
  expect(ratio).toBeLessThan(1.15);
  expect(copies).toBeLessThanOrEqual(1.01);
});
