import { expect, test } from 'vitest';
import { PeerContent } from '../../../../actors/host/peer/content.ts';
import type { LeaseSets } from '../../../../actors/host/peer/lease-sets.ts';
import { PeerNeeds } from '../../../../actors/host/peer/needs.ts';
import type { PeerOrigin } from '../../../../actors/host/peer/origin.ts';
import { PeerShare } from '../../../../actors/host/peer/share.ts';
import { PeerStats } from '../../../../actors/host/peer/stats.ts';
import { SyncState } from '../../../../actors/host/peer/sync-state.ts';
import type { PeerTransfers } from '../../../../actors/host/peer/transfers.ts';
import { SlotPool } from '../../../../actors/host/slot-pool.ts';
import { createCounter } from '../../../../core/counter.ts';
import type { HostId, TaskId } from '../../../../core/ids.ts';
import { createMemoryStore } from '../../../../storage/memory-store.ts';

type State = 'joining' | 'transferring' | 'adrift' | 'verifying' | 'serving';

const taskId = `sha256-${'0'.repeat(64)}` as TaskId;

function scene(slots = 2) {
  const content = new PeerContent(createMemoryStore({ clock: { wall: () => 0 } }), taskId, [], '');
  const sync = new SyncState(1, content, createCounter());
  const pool = new SlotPool(slots);
  const now: { state: State; over: boolean; fruitful: boolean } = {
    state: 'transferring',
    over: false,
    fruitful: false,
  };
  const flying = { running: [] as number[], queued: [] as number[] };
  const set = (state: State) => {
    now.state = state;
  };
  const book = {
    runningPieces: () => flying.running,
    queuedPieces: () => flying.queued,
    isInFlight: (piece: number) => flying.running.includes(piece),
    get runningCount() {
      return flying.running.length;
    },
    get queuedCount() {
      return flying.queued.length;
    },
  };
  const stats = new PeerStats({ now: () => 0, wall: () => 0, after: () => () => {} }, new PeerShare());
  const needs = new PeerNeeds({
    content,
    pool,
    stats,
    sync,
    origin: { readsForAll: false } as unknown as PeerOrigin,
    transfers: { book, freeSlots: () => pool.free } as unknown as PeerTransfers,
    sets: {
      get isFruitful() {
        return now.fruitful;
      },
    } as unknown as LeaseSets,
    chart: {
      get state() {
        return now.state;
      },
      get ended() {
        return now.over;
      },
      contradicted: false,
      report() {},
    },
  });
  return { needs, content, stats, sync, pool, now, flying, set };
}

test('syncs soon while leases come and slots are free, and only to be heard where there is nothing to say', () => {
  const { needs, sync, pool, now, flying } = scene(1);
  expect(needs.next()).toBe('quiet');
  now.fruitful = true;
  expect(needs.next()).toBe('soon');
  pool.take(() => {});
  expect(needs.next()).toBe('quiet');
  flying.running = [3];
  expect(needs.next()).toBe('rest');
  flying.running = [];
  sync.stored(3);
  expect(needs.next()).toBe('later');
});

test('does not ask for more where all that is missing is on its way', async () => {
  const { needs, content, sync, now, flying } = scene();
  await content.learn(16, 8);
  now.fruitful = true;
  flying.running = [0];
  expect(needs.next()).toBe('soon');
  flying.running = [0, 1];
  expect(needs.next()).toBe('rest');
  sync.stored(0);
  expect(needs.next()).toBe('soon');
});

test('the first pieces that nobody had before are told sooner, and only those', async () => {
  const { needs, content, stats } = scene();
  await content.learn(12 * 8, 8);
  const { stored } = content;
  const told: string[] = [];
  for (let piece = 0; piece < 10; piece += 1) {
    stored?.writer(piece, 1, (at, hash, length) => stored.commit(at, hash, length)).write(new Uint8Array(8));
    told.push(needs.afterPiece());
  }
  expect(told).toEqual([...Array(8).fill('news'), 'later', 'later']);
  await content.drop([2, 3, 4, 5, 6, 7, 8, 9]);
  expect(needs.afterPiece()).toBe('news');
  stats.pieceCame(8, { hostId: 'f'.repeat(32) as HostId, ip: '10.0.0.1', port: 1 }, false);
  expect(needs.afterPiece()).toBe('later');
});

test('what waits for a slot is told at the usual pace, however many leases come', () => {
  const { needs, now, flying } = scene();
  now.fruitful = true;
  flying.queued = [1, 2];
  expect(needs.next()).toBe('later');
});

test('who serves syncs for news alone, and who has ended not at all', () => {
  const { needs, sync, now, set } = scene();
  set('serving');
  expect(needs.next()).toBe('none');
  sync.stored(0);
  expect(needs.next()).toBe('later');
  now.over = true;
  expect(needs.next()).toBe('none');
});

test('wants pieces until it has them all', () => {
  const { needs, set } = scene();
  const wanting = (['joining', 'transferring', 'adrift', 'verifying', 'serving'] as const).filter((state) => {
    set(state);
    return needs.wants;
  });
  expect(wanting).toEqual(['joining', 'transferring', 'adrift']);
});

test('the piece that a reader starves for is urgent until it is on its way', async () => {
  const { needs, content, flying } = scene();
  expect(needs.starve(20)).toBe(true);
  expect(needs.starve(20)).toBe(false);
  expect(needs.urgent).toBeUndefined();
  await content.learn(30, 8);
  expect(needs.urgent).toBe(2);
  expect(needs.facts(50)).toMatchObject({ urgent: 2, wants: true, adrift: false, freeSlots: 2 });
  flying.running = [2];
  expect(needs.urgent).toBeUndefined();
  expect(needs.facts(50)).toMatchObject({ running: [2], urgent: undefined });
});
