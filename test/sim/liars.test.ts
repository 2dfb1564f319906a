import { describe, expect, test } from 'vitest';
import { packHashes } from '../../core/hash-page.ts';
import type { TaskId } from '../../core/ids.ts';
import { taskIdOfUrl } from '../../core/source.ts';
import type { SyncRequest } from '../../core/sync-messages.ts';
import type { SimGet, SimHost } from '../../sim/host.ts';
import type { SimContent } from '../../sim/origin.ts';
import { createSimulation, type Simulation } from '../../sim/world.ts';
import { PIECE, Puppet } from '../actors/puppet.ts';
import { copies, delivered, digestOf, MIB, URL_A } from './scene.ts';

const LENGTH = 4 * MIB;
const PIECES = LENGTH / PIECE;

/** What a liar says of itself, to be believed. */
const MODES = {
  adrift: { adrift: true },
  probed: { probed: { length: LENGTH, etag: '"one"', ranges: true, audience: 'public' } },
  veteran: { seen: { epoch: 1, number: 1 } },
  running: { running: [0, 1, 2, 3] },
} satisfies Record<string, Partial<SyncRequest>>;

const host = (sim: Simulation, index: number) => sim.hosts[index] as SimHost;

async function scene(seed: number) {
  const sim = createSimulation({ seed, hosts: 4, linkBytesPerSec: 2 * MIB });
  const content = sim.publish(URL_A, LENGTH, { etag: '"one"' });
  sim.start();
  await sim.run(2_500);
  return { sim, content };
}

/** Syncs of a host that says hashes for all pieces which no content has. */
async function liars(sim: Simulation, taskId: TaskId, said: Partial<SyncRequest>, count = 1) {
  const puppets = Array.from({ length: count }, (_, index) => new Puppet(sim, index + 1));
  for (const puppet of puppets) await puppet.announce();
  let seq = 0;
  return async () => {
    seq += 1;
    for (const [index, puppet] of puppets.entries()) {
      const hash = new Uint8Array(32).fill(index + 1);
      const hashes = packHashes(Array.from({ length: PIECES }, (_, piece) => ({ piece, hash })));
      const geometry = { length: LENGTH, pieceLength: PIECE };
      await puppet.sync(taskId, { seq, wants: false, hashes, ...geometry, ...said });
    }
  };
}

async function allRight(sim: Simulation, gets: readonly SimGet[], content: SimContent) {
  await sim.run(60_000, () => gets.every(({ state }) => state !== 'running'));
  for (const get of gets) expect(await delivered(get, content), get.error?.message ?? get.state).toBe(true);
}

describe.each(['with a digest', 'without one'])('a download %s', (digested) => {
  const request = (content: SimContent) =>
    digested === 'with a digest' ? { resource: URL_A, digest: digestOf(content) } : { resource: URL_A };
  const taskOf = (content: SimContent) =>
    digested === 'with a digest'
      ? (digestOf(content).replace(':', '-') as TaskId)
      : taskIdOfUrl(URL_A, { etag: '"one"', length: LENGTH });

  test.each(Object.entries(MODES))(
    'is right, and the origin read once, though hosts lied before it began, and after a restart of the scheduler: %s',
    async (_mode, said) => {
      const { sim, content } = await scene(1);
      const lie = await liars(sim, taskOf(content), said, 3);
      await lie();
      await allRight(
        sim,
        [0, 1].map((index) => host(sim, index).get(request(content))),
        content,
      );
      sim.scheduler.restart();
      // Before it has claimed its partitions nobody hears them.
      await sim.run(20);
      await lie();
      await sim.run(1_500);
      await allRight(sim, [host(sim, 2).get(request(content))], content);
      await sim.run(1_500);
      sim.scheduler.restart();
      await sim.run(1_500);
      await lie();
      await allRight(sim, [host(sim, 3).get(request(content))], content);
      // A scheduler just born has a URL asked anew, whose first MiB comes along.
      const asked = digested === 'with a digest' ? 0 : 2 * MIB;
      expect(copies(sim, content)).toBeLessThanOrEqual(1 + asked / LENGTH);
    },
  );

  test.each(Object.entries(MODES))(
    'is right, and the origin read at most 1.3 times, though hosts lie again and again: %s',
    async (_mode, said) => {
      const { sim, content } = await scene(2);
      const lie = await liars(sim, taskOf(content), said, 3);
      const gets = [0, 1, 2, 3].map((index) => host(sim, index).get(request(content)));
      for (let time = 0; time < 20; time += 1) {
        await sim.run(60);
        await lie();
      }
      await allRight(sim, gets, content);
      expect(copies(sim, content)).toBeLessThanOrEqual(1.3);
    },
  );
});

describe('an origin', () => {
  test.each([1, 2, 3, 4, 5])(
    'that gives one wrong body is read again, and every host is right (seed %i)',
    async (seed) => {
      const { sim, content } = await scene(seed);
      sim.origin.wrongBodies = 1;
      const request = { resource: URL_A, digest: digestOf(content) };
      await allRight(
        sim,
        sim.hosts.map((one) => one.get(request)),
        content,
      );
      // Two pieces of each host are read again to find out who is wrong.
      expect(copies(sim, content)).toBeLessThanOrEqual(2 + (2 * 4) / PIECES);
    },
  );

  test('that always gives wrong bodies is given up in time, and nothing of that is held against it when it is right', async () => {
    const { sim, content } = await scene(3);
    const request = { resource: URL_A, digest: digestOf(content) };
    sim.origin.wrongBodies = Number.POSITIVE_INFINITY;
    const gets = sim.hosts.map((one) => one.get(request));
    await sim.run(30_000, () => gets.every(({ state }) => state !== 'running'));
    expect(gets.map(({ error }) => error?.code)).toEqual(gets.map(() => 'ERR_DIGEST_MISMATCH'));
    sim.origin.wrongBodies = 0;
    await allRight(
      sim,
      sim.hosts.map((one) => one.get(request)),
      content,
    );
  });
});
