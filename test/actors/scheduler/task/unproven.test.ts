import { describe, expect, test } from 'vitest';
import { packHashes, unpackHashes } from '../../../../core/hash-page.ts';
import type { TaskId } from '../../../../core/ids.ts';
import type { LeaseSet, SyncRequest } from '../../../../core/sync-messages.ts';
import { SUBJECTS } from '../../../../transport/subjects.ts';
import { hashes, PIECE } from '../scene.ts';
import { bits, FOUR, taskScene } from './scene.ts';

const URL_TASK = `url-${'cd'.repeat(32)}` as TaskId;
const ALL = [0, 1, 2, 3];
const [SETTLED_MS, OVER_MS] = [500, 5_000];

/** Hashes of these pieces that no content has. */
const lies = (pieces: readonly number[], fill = 9) =>
  packHashes(pieces.map((piece) => ({ piece, hash: new Uint8Array(32).fill(fill) })));

/** What a set says of the pieces' hashes. */
function told({ hashes: page }: LeaseSet): Map<number, string> {
  const entries = unpackHashes(page ?? new Uint8Array()) ?? [];
  return new Map(entries.map(({ piece, hash }) => [piece, Buffer.from(hash).toString('hex')]));
}

const right = (piece: number) => told({ hashes: hashes([piece]) } as LeaseSet).get(piece);

/** Pieces that a set leases from the origin. */
function fromOrigin({ leases }: LeaseSet): number[] {
  return leases
    .filter(({ parent }) => parent === 'origin')
    .flatMap(({ first, count }) => Array.from({ length: count }, (_, step) => first + step));
}

const liar: Partial<SyncRequest> = { ...FOUR, wants: false, mayReadOrigin: false, hashes: lies(ALL) };

describe('hashes of a host that was not leased the pieces', () => {
  test.each<[string, Partial<SyncRequest>]>([
    ['says that it was adrift', { adrift: true }],
    ['says that it asked the origin', { probed: { length: 4 * PIECE, ranges: true, audience: 'public' } }],
    ['speaks to a scheduler just born', { seen: { epoch: 0, number: 0 } }],
    ['says that it holds them', { have: bits(15) }],
  ])('are worth nothing against those of a reader, also where it %s', (_what, claim) => {
    const { host } = taskScene();
    const [bad, good] = [host(1), host(2)];
    bad.sync({ ...liar, ...claim });
    const set = claim.have ? good.sync({ ...FOUR, freeSlots: 0 }) : good.readAll();
    if (claim.have) expect(set.leases).toEqual([]);
    else for (const piece of ALL) expect(told(set).get(piece)).toBe(right(piece));
  });

  test('are used where a host holds the pieces and the whole is compared, and are never logged', async () => {
    const { world, host, count, task } = taskScene();
    const [holder, child] = [host(1), host(2)];
    holder.sync({ ...FOUR, wants: false, have: bits(15), hashes: hashes(ALL) });
    const set = child.sync(FOUR);
    for (const piece of ALL) expect(told(set).get(piece)).toBe(right(piece));
    expect(set.leases.every(({ parent }) => parent === holder.id)).toBe(true);
    child.sync({ ...FOUR, wants: false, have: bits(15) });
    task.tick(world.clock.now());
    expect(await count(world.bus.readLog(SUBJECTS.logManifest, {}))).toBe(0);
  });

  test('all fall with the first that a reader contradicts, and no more is taken; the liar serves nobody', () => {
    const { host } = taskScene();
    const [bad, worse, good] = [host(1), host(2), host(3)];
    bad.sync({ ...liar, hashes: lies([0, 1, 2]), have: bits(0b0110) });
    worse.sync({ ...liar, hashes: lies([0, 1, 2]), have: bits(0b0110) });
    expect(fromOrigin(good.sync(FOUR))).toEqual([0, 3]);
    bad.sync({ ...liar, hashes: lies([3]) });
    const set = good.sync({ ...FOUR, have: bits(1), hashes: hashes([3]), seen: good.seen });
    // Of piece 0 nothing was told: nobody holds it. What was told is taken back.
    expect([1, 2].map((piece) => told(set).get(piece))).toEqual(['00'.repeat(32), '00'.repeat(32)]);
    expect(told(set).get(3)).toBe(right(3));
    expect(set.leases.filter(({ parent }) => parent !== 'origin')).toEqual([]);
    host(4).sync({ ...liar, hashes: lies(ALL, 7), have: bits(15) });
    const after = good.readAll({ have: bits(1) });
    for (const piece of ALL) expect(told(after).get(piece)).toBe(right(piece));
  });

  test('fall where two of them contradict each other, and are taken again in the next download', async () => {
    const { host, pass } = taskScene();
    const [one, two, three] = [host(1), host(2), host(3)];
    one.sync({ ...liar, have: bits(15) });
    two.sync({ ...liar, hashes: hashes(ALL), have: bits(15) });
    expect(fromOrigin(three.sync(FOUR)).length).toBeGreaterThan(0);
    three.sync({ ...FOUR, wants: false, seen: three.seen });
    await pass(SETTLED_MS + OVER_MS);
    two.sync({ ...liar, hashes: hashes(ALL), have: bits(15) });
    expect(told(host(4).sync(FOUR)).get(2)).toBe(right(2));
  });
});

describe('hashes of a host that was not leased the pieces, of content without a digest', () => {
  const scene = () => taskScene({ taskId: URL_TASK });
  const holds = { ...FOUR, wants: false, mayReadOrigin: false, have: bits(15) };

  test('are told to nobody, and the pieces given to nobody, before another host has read one of them', async () => {
    const { host, pass } = scene();
    const [holder, child] = [host(1), host(2)];
    holder.sync({ ...holds, hashes: hashes(ALL) });
    const first = child.sync(FOUR);
    expect([first.leases, told(first).size]).toEqual([[], 0]);
    await pass(SETTLED_MS);
    const asked = child.sync({ ...FOUR, seen: child.seen });
    const [sample = -1, ...more] = fromOrigin(asked);
    expect([asked.leases.length, more, told(asked).size]).toEqual([1, [], 0]);
    const set = child.sync({ ...FOUR, have: bits(8 >> sample), hashes: hashes([sample]), seen: child.seen });
    for (const piece of ALL) expect(told(set).get(piece)).toBe(right(piece));
    expect(set.leases.length).toBeGreaterThan(0);
    expect(set.leases.every(({ parent }) => parent === holder.id)).toBe(true);
  });

  test('are logged once they are proven', async () => {
    const { world, host, pass, count } = scene();
    const [holder, child] = [host(1), host(2)];
    holder.sync({ ...holds, hashes: hashes(ALL) });
    child.sync(FOUR);
    await pass(SETTLED_MS);
    const [sample = -1] = fromOrigin(child.sync({ ...FOUR, seen: child.seen }));
    expect(await count(world.bus.readLog(SUBJECTS.logManifest, {}))).toBe(0);
    child.sync({ ...FOUR, have: bits(8 >> sample), hashes: hashes([sample]), seen: child.seen });
    const reading = world.bus.readLog(SUBJECTS.logManifest, {});
    await pass(1);
    const [entry] = await reading;
    expect(unpackHashes(entry?.message.hashes ?? new Uint8Array())).toHaveLength(4);
  });

  test('fall where that host reads otherwise: one piece was read, and a client has nothing wrong', async () => {
    const { host, pass } = scene();
    const [bad, child] = [host(1), host(2)];
    bad.sync({ ...holds, hashes: lies(ALL) });
    child.sync(FOUR);
    await pass(SETTLED_MS);
    const [sample = -1] = fromOrigin(child.sync({ ...FOUR, seen: child.seen }));
    const mine = { ...FOUR, have: bits(8 >> sample), hashes: hashes([sample]) };
    const set = child.sync({ ...mine, seen: child.seen });
    expect([...told(set)]).toEqual([[sample, right(sample)]]);
    expect(fromOrigin(set).length).toBe(set.leases.length);
    expect(set.leases.length).toBeGreaterThan(0);
  });

  test('are proven by no host that holds the pieces, or says the same', async () => {
    const { host, pass } = scene();
    const [holder, friend, child] = [host(1), host(2), host(3)];
    holder.sync({ ...holds, hashes: hashes(ALL) });
    friend.sync({ ...FOUR, hashes: hashes(ALL), have: bits(7) });
    child.sync(FOUR);
    await pass(SETTLED_MS);
    expect(friend.sync({ ...FOUR, have: bits(7), seen: friend.seen }).leases).toEqual([]);
    expect(fromOrigin(child.sync({ ...FOUR, seen: child.seen })).length).toBeGreaterThan(0);
  });

  test('are proven by another host where the first does not come to it', async () => {
    const { task, host, pass } = scene();
    const [holder, first, second] = [host(1), host(2), host(3)];
    holder.sync({ ...holds, hashes: hashes(ALL) });
    await pass(SETTLED_MS);
    expect(fromOrigin(first.sync(FOUR))).toHaveLength(1);
    expect(second.sync(FOUR).leases).toEqual([]);
    task.lose(first.id);
    expect(fromOrigin(second.sync({ ...FOUR, seen: second.seen }))).toHaveLength(1);
  });

  test('are used unproven where for a while nobody may read the origin', async () => {
    const { host, pass } = scene();
    const [holder, child] = [host(1), host(2)];
    holder.sync({ ...holds, hashes: hashes(ALL) });
    const wants = { ...FOUR, mayReadOrigin: false };
    expect(child.sync(wants).leases).toEqual([]);
    await pass(3 * SETTLED_MS);
    const set = child.sync({ ...wants, seen: child.seen });
    expect(set.leases.length).toBeGreaterThan(0);
    expect(told(set).get(0)).toBe(right(0));
  });

  test('what a host tells later is proven by a read of its own', async () => {
    const { host, pass } = scene();
    const [holder, child] = [host(1), host(2)];
    holder.sync({ ...holds, have: bits(12), hashes: hashes([0, 1]) });
    await pass(SETTLED_MS);
    const [sample = -1] = fromOrigin(child.sync({ ...FOUR, freeSlots: 1 }));
    expect([0, 1]).toContain(sample);
    holder.sync({ ...holds, hashes: lies([2, 3]) });
    const set = child.sync({
      ...FOUR,
      have: bits(8 >> sample),
      hashes: hashes([sample]),
      seen: child.seen,
    });
    expect([...told(set).keys()].sort()).toEqual([0, 1]);
    await pass(SETTLED_MS);
    const next = fromOrigin(child.sync({ ...FOUR, have: bits(12), seen: child.seen, freeSlots: 0 }));
    expect(next).toHaveLength(1);
    expect([2, 3]).toContain(next[0]);
  });
});
