import { createHash } from 'node:crypto';
import { expect, test, vi } from 'vitest';
import { Membership } from '../../../../actors/host/membership.ts';
import type { PeerNews } from '../../../../actors/host/peer/chart.ts';
import { PeerContent } from '../../../../actors/host/peer/content.ts';
import type { LeaseBook } from '../../../../actors/host/peer/lease-book.ts';
import { LeaseSets } from '../../../../actors/host/peer/lease-sets.ts';
import { SyncState } from '../../../../actors/host/peer/sync-state.ts';
import type { HostWorld } from '../../../../actors/host/world.ts';
import { createCounter } from '../../../../core/counter.ts';
import { packHashes } from '../../../../core/hash-page.ts';
import type { TaskId } from '../../../../core/ids.ts';
import type { LeaseSet } from '../../../../core/sync-messages.ts';
import { createMemoryStore } from '../../../../storage/memory-store.ts';

const taskId = `sha256-${'0'.repeat(64)}` as TaskId;

function scene() {
  const content = new PeerContent(createMemoryStore({ clock: { wall: () => 0 } }), taskId, [], '');
  const sync = new SyncState(1, content, createCounter());
  const report = vi.fn<(news: PeerNews) => void>();
  const sets = new LeaseSets({
    world: { hostId: 'a'.repeat(32) } as unknown as HostWorld,
    membership: new Membership({ now: () => 0, wall: () => 0 }),
    content,
    sync,
    book: { replace: () => 0 } as unknown as LeaseBook,
    chart: { state: 'transferring', ended: false, contradicted: false, report },
  });
  let number = 0;
  const take = (more: Partial<LeaseSet>) => {
    number += 1;
    const set: LeaseSet = {
      epoch: 1,
      number,
      leases: [],
      originAtOnce: 1,
      parents: [],
      claim: 1,
      hashFrom: 0,
      sources: [],
      audience: 'public',
      state: 'distributing',
      ...more,
    };
    return sets.take(set);
  };
  return { content, sync, take, report };
}

test('samples that were read are not read again before a scheduler has heard of them', async () => {
  const { sync, take, report } = scene();
  sync.mismatched([0], []);
  await take({ samples: [0] });
  expect(report).not.toHaveBeenCalled();
  sync.forgetClaim();
  await take({ samples: [0] });
  expect(report).toHaveBeenCalledExactlyOnceWith({ type: 'samples.asked', samples: [0] });
});

test('whether the origin gives ranges is taken from every set that knows it, not only from the first', async () => {
  const { content, take } = scene();
  await content.learn(30, 8);
  await take({ length: 30, pieceLength: 8, ranges: false });
  expect(content.ranges).toBe(false);
  await take({ length: 30, pieceLength: 8 });
  expect(content.ranges).toBe(false);
  await take({ length: 30, pieceLength: 8, ranges: true });
  expect(content.ranges).toBe(true);
});

test('a claim that was dropped takes all that is here with it, but a scheduler just born counts from one', async () => {
  const { content, take, report } = scene();
  await take({ length: 30, pieceLength: 8, claim: 2 });
  await take({ epoch: 2, length: 30, pieceLength: 8, claim: 1 });
  expect(report).not.toHaveBeenCalled();
  await take({ epoch: 2, length: 60, pieceLength: 8, claim: 2 });
  expect(report.mock.calls).toEqual([[{ type: 'content.withdrawn' }]]);
  expect(content.length).toBe(60);
});

const hash = (fill: number) => new Uint8Array(32).fill(fill);
const right = createHash('sha256').update(new Uint8Array(8)).digest();

async function store({ stored }: PeerContent, piece: number, bytes = 8) {
  const writer = stored?.writer(piece, 1, (...came) => stored?.commit(...came));
  await writer?.write(new Uint8Array(bytes));
}

/** Pieces 0 and 1 of four are here. */
async function holder() {
  const made = scene();
  await made.content.learn(30, 8);
  await made.take({ length: 30, pieceLength: 8 });
  for (const piece of [0, 1]) await store(made.content, piece);
  return made;
}

test('of a piece only the last word counts: a lie that was taken back costs nothing', async () => {
  const { content, take, report } = await holder();
  const said = [hash(9), hash(0), right].map((word) => ({ piece: 0, hash: word }));
  await take({ hashes: packHashes(said) });
  expect(report).not.toHaveBeenCalled();
  expect([content.has(0), content.expected(0)]).toEqual([true, new Uint8Array(right)]);
  await take({ hashFrom: 3, hashes: packHashes([{ piece: 1, hash: hash(0) }]) });
  expect([content.has(0), content.has(1)]).toEqual([true, false]);
});

test('content that agrees with its digest keeps a piece whose hash is taken back', async () => {
  const { content, take } = await holder();
  await store(content, 2);
  await store(content, 3, 6);
  await content.stored?.seal();
  await take({ hashes: packHashes([{ piece: 0, hash: hash(0) }]) });
  expect(content.has(0)).toBe(true);
});

test('the hashes of another claim are read from the first on', async () => {
  const { content, sync, take } = await holder();
  await take({ hashes: packHashes([0, 1].map((piece) => ({ piece, hash: right }))) });
  expect(sync.hashCursor).toBe(2);
  await take({ claim: 2, hashFrom: 2 });
  expect(sync.hashCursor).toBe(0);
  await take({ claim: 2, length: 30, pieceLength: 8, hashes: packHashes([{ piece: 3, hash: hash(4) }]) });
  expect(content.expected(3)).toEqual(hash(4));
});
