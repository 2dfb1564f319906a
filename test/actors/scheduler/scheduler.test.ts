import { expect, test } from 'vitest';
import { SchedulerActor } from '../../../actors/scheduler/scheduler.ts';
import type { HostRole } from '../../../core/host.ts';
import { partitionOf } from '../../../core/ids.ts';
import type { LeaseSet, SyncRequest } from '../../../core/sync-messages.ts';
import { SUBJECTS } from '../../../transport/subjects.ts';
import { hostId } from '../../scheduling/world.ts';
import { alive, hashes, ONE, PIECE, schedulerScene, syncOf, TASK } from './scene.ts';

const FOUR = { length: 4 * PIECE, pieceLength: PIECE };
const PRIVATE = { ...ONE, credentials: true };

/** A scheduler that has taken its census, and hosts that talk to it over the bus. */
async function scene(originReaders: 'all' | 'seeds') {
  const { world, hub, pass } = schedulerScene({ originReaders });
  const scheduler = new SchedulerActor(world);
  scheduler.start();
  await pass(1_100);
  const host = async (index: number, role: HostRole) => {
    const id = hostId(index);
    const bus = hub.bus(id);
    let seq = 0;
    const pushed: LeaseSet[] = [];
    bus.subscribe(SUBJECTS.leases, { hostId: id }, ({ set }) => void pushed.push(set));
    const settle = async <T>(promise: Promise<T>): Promise<T> => {
      await pass(5);
      return promise;
    };
    const message = { ...alive(role), publicKey: new Uint8Array(32) };
    await settle(bus.request(SUBJECTS.announce, { hostId: id }, message, { timeoutMs: 1_000 }));
    /** The set that a sync is answered with. */
    const sync = async (more: Partial<SyncRequest> = {}): Promise<LeaseSet> => {
      seq += 1;
      const tokens = { partition: String(partitionOf(TASK)), taskId: TASK, hostId: id };
      const reply = await settle(bus.request(SUBJECTS.sync, tokens, syncOf(seq, more), { timeoutMs: 1_000 }));
      if (reply.status !== 'ok') throw new Error(reply.status);
      return reply;
    };
    return { id, sync, pushed };
  };
  return { host, pass };
}

const parents = ({ leases }: LeaseSet) => [...new Set(leases.map(({ parent }) => parent))];

test('every host that can is leased the origin, where nothing else is said', async () => {
  const { host } = await scene('all');
  expect(parents(await (await host(1, 'normal')).sync(FOUR))).toEqual(['origin']);
});

test('where the origin is left to seeds, a seed is called in and reads it for the others', async () => {
  const { host } = await scene('seeds');
  const seed = await host(1, 'seed');
  const normal = await host(2, 'normal');
  expect(await normal.sync()).toMatchObject({ state: 'pending', leases: [] });
  expect(seed.pushed).toHaveLength(1);
  expect((await seed.sync()).probe).toBe(true);
  expect((await normal.sync(FOUR)).leases).toEqual([]);
  expect(parents(await seed.sync(FOUR))).toEqual(['origin']);
  await seed.sync({ ...FOUR, have: new Uint8Array([0b1000_0000]), hashes: hashes([0]) });
  expect(parents(await normal.sync(FOUR))).toEqual([seed.id]);
});

test('where the origin is left to seeds, a host reads for itself what no seed has credentials for', async () => {
  const { host } = await scene('seeds');
  const seed = await host(1, 'seed');
  const normal = await host(2, 'normal');
  expect(parents(await normal.sync({ ...FOUR, sources: [PRIVATE] }))).toEqual(['origin']);
  expect(seed.pushed).toEqual([]);
});

test('where the origin is left to seeds and none is there, who waits is told that nobody may read it', async () => {
  const { host, pass } = await scene('seeds');
  const normal = await host(2, 'normal');
  for (let second = 0; second < 3; second += 1) {
    expect((await normal.sync(FOUR)).error).toBeUndefined();
    await pass(1_000);
  }
  expect(await normal.sync(FOUR)).toMatchObject({ leases: [], error: { code: 'ERR_SOURCE_FORBIDDEN' } });
});
