import { describe, expect, test, vi } from 'vitest';
import { Bitfield } from '../../../../core/bitfield.ts';
import { ShoalError } from '../../../../core/errors.ts';
import { partitionOf } from '../../../../core/ids.ts';
import { LIMITS } from '../../../../core/limits.ts';
import {
  BYTES,
  FROM_PARENT,
  GEOMETRY,
  gate,
  HASHES,
  hashOf,
  PARENT,
  PIECE,
  peerScene,
  TASK,
} from './scene.ts';

const UNREACHABLE = new ShoalError('ERR_PEER_UNAVAILABLE', 'out of reach');
/** Larger than that of the scheduler of the scene. */
const EPOCH = 5;

/** A scene whose one holder cannot be got at from here, though the scheduler leases all from it. */
function outOfReach() {
  const scene = peerScene();
  const { plane, scheduler } = scene;
  plane.fetch.mockRejectedValue(UNREACHABLE);
  plane.have.mockRejectedValue(UNREACHABLE);
  scheduler.says = FROM_PARENT;
  return scene;
}

/** A scene whose peer gets nothing from its scheduler, and has gone to an origin that does not answer. */
async function hungry() {
  const scene = peerScene();
  const { scheduler, origin, plane, open, until } = scene;
  plane.at.holds = false;
  origin.at.gate = gate().opened;
  scheduler.says = GEOMETRY;
  const opened = await open();
  await until(() => opened.peer.state === 'starved');
  await until(() => origin.read.mock.calls.length > 0);
  return { ...scene, ...opened };
}

describe('a peer that is answered and gets nothing', () => {
  test('goes to the origin after five seconds where the only holder is out of reach, and says why', async () => {
    const { open, until, clock, events, logs, origin } = outOfReach();
    const { peer, states } = await open();
    await until(() => peer.state === 'starved');
    expect(clock.now()).toBeGreaterThanOrEqual(LIMITS.starvedAfterMs);
    expect(clock.now()).toBeLessThan(LIMITS.starvedAfterMs + 500);
    expect(origin.read).not.toHaveBeenCalled();
    await until(() => peer.state === 'serving', 2_000);
    expect(states).toEqual(['joining', 'transferring', 'starved', 'verifying', 'serving']);
    expect(peer.stats.originReasons).toEqual({ unreachable: BYTES.length });
    expect(events).toContain('peer.starved');
    expect(logs.some(({ message }) => message.includes('out of reach'))).toBe(true);
  });

  test('does so too where it is leased nothing at all, and tells its pieces and hashes at once', async () => {
    const { open, until, run, scheduler, plane } = peerScene();
    plane.at.holds = false;
    scheduler.says = GEOMETRY;
    const { peer } = await open();
    await until(() => peer.content.complete);
    await run(LIMITS.syncMinIntervalMs + 10);
    const { syncs } = scheduler;
    expect(syncs.flatMap(({ added }) => added).sort()).toEqual([0, 1, 2]);
    expect(syncs.reduce((bytes, { hashes }) => bytes + (hashes?.length ?? 0), 0)).toBe(HASHES.length);
    expect(syncs.every(({ adrift }) => !adrift)).toBe(true);
    expect(peer.stats.originReasons).toEqual({ starved: BYTES.length });
  });

  test('takes from a host that it knows what that one has, and leaves the origin alone', async () => {
    const { open, until, scheduler, membership, origin } = peerScene();
    scheduler.says = GEOMETRY;
    membership.know([PARENT]);
    const { peer } = await open();
    await until(() => peer.state === 'serving');
    expect(peer.stats.received()).toMatchObject({ peers: BYTES.length, origin: 0 });
    expect(origin.read).not.toHaveBeenCalled();
  });

  test('fetches from a host that has started again where it is now', async () => {
    const { plane, membership, run } = await hungry();
    membership.know([PARENT]);
    await run(300);
    const moved = { ...PARENT, port: PARENT.port + 1 };
    membership.know([moved]);
    plane.at.holds = true;
    await run(1_000);
    expect(plane.fetch.mock.calls.map(([{ parent }]) => parent)).toContainEqual(moved);
  });

  test('learns the length from the origin by itself where nobody is told to ask it', async () => {
    const { open, until, plane } = peerScene();
    plane.at.holds = false;
    const { peer } = await open();
    await until(() => peer.state === 'serving');
    expect(peer.stats.originReasons).toEqual({ starved: BYTES.length });
  });

  test('goes on by leases as soon as these carry again', async () => {
    const { peer, scheduler, plane, origin, run, events } = await hungry();
    expect(origin.read).toHaveBeenCalledOnce();
    // A piece now and then is less than the origin may give.
    const reading = (origin.read.mock.calls[0]?.[0].range.start ?? 0) / PIECE;
    scheduler.says = {
      ...FROM_PARENT,
      leases: [{ first: (reading + 1) % 3, count: 1, parent: PARENT.hostId }],
    };
    await run(2_500);
    expect(peer.content.stored?.have.count).toBe(1);
    expect(peer.state).toBe('starved');
    await peer.content.drop([(reading + 1) % 3]);
    scheduler.says = FROM_PARENT;
    await run(1_500);
    expect(plane.fetch).toHaveBeenCalled();
    expect(peer.state).toBe('transferring');
    expect(events).toContain('peer.fed');
  });

  test('does not go by leases alone while a holder that was to give a piece fails', async () => {
    const { peer, scheduler, plane, membership, run, origin } = await hungry();
    const reading = (origin.read.mock.calls[0]?.[0].range.start ?? 0) / PIECE;
    const failing = { ...PARENT, hostId: `${'9'.repeat(32)}` as typeof PARENT.hostId };
    membership.know([PARENT, failing]);
    await run(300);
    const gives = plane.fetch.getMockImplementation();
    plane.fetch.mockImplementation(async (request, sink, signal) => {
      if (request.parent.hostId === failing.hostId) throw UNREACHABLE;
      return gives?.(request, sink, signal);
    });
    const [one, two] = [(reading + 1) % 3, (reading + 2) % 3] as const;
    const leaseOf = (first: number, hostId: typeof PARENT.hostId) => ({ first, count: 1, parent: hostId });
    scheduler.says = { ...FROM_PARENT, leases: [leaseOf(one, failing.hostId)], parents: [PARENT, failing] };
    await run(200);
    scheduler.says = {
      ...FROM_PARENT,
      leases: [leaseOf(one, PARENT.hostId), leaseOf(two, PARENT.hostId)],
      parents: [PARENT, failing],
    };
    await run(2_000);
    expect(peer.content.stored?.have.count).toBe(2);
    expect(peer.state).toBe('starved');
  });

  test('is adrift where the scheduler falls silent as well', async () => {
    const { peer, scheduler, until } = await hungry();
    scheduler.isSilent = true;
    await until(() => peer.state === 'adrift');
  });

  test('leaves the origin to seeds where that was said, and does not fail while a scheduler answers', async () => {
    const { open, until, run, scheduler, plane, world, origin } = peerScene();
    Object.assign(world, { originReaders: 'seeds' });
    plane.at.holds = false;
    scheduler.says = GEOMETRY;
    const { peer } = await open();
    await until(() => peer.state === 'starved');
    await run(30_000);
    expect(peer.state).toBe('starved');
    expect(origin.read).not.toHaveBeenCalled();
  });

  test('waits as long as the setting says', async () => {
    const { open, until, clock, scheduler, plane, world, events } = peerScene();
    Object.assign(world, { starvedAfterMs: 1_000 });
    plane.at.holds = false;
    scheduler.says = GEOMETRY;
    await open();
    await until(() => events.includes('peer.starved'));
    expect(clock.now()).toBeLessThan(1_500);
  });

  test('a scheduler that only ever asks for everything anew is no reason to wait', async () => {
    const { open, until, scheduler, plane } = peerScene();
    plane.at.holds = false;
    vi.spyOn(scheduler, 'answer').mockImplementation(() => ({ status: 'full', epoch: 1 }));
    const { peer } = await open();
    await until(() => peer.state === 'serving');
    expect(peer.stats.originReasons).toEqual({ starved: BYTES.length });
  });
});

describe('a parent that trickles', () => {
  test('is left after two seconds, told as stalled, and what it was to give comes from elsewhere', async () => {
    const { open, until, clock, scheduler, plane, membership } = peerScene();
    const other = { ...PARENT, hostId: `${'9'.repeat(32)}` as typeof PARENT.hostId };
    membership.know([PARENT, other]);
    plane.fetch.mockImplementation(async ({ parent, range }, sink, signal) => {
      if (parent.hostId === other.hostId) return sink(BYTES.subarray(range.start, range.end));
      for (let at = range.start; at < range.end; at += 1) {
        await new Promise<void>((resolve, reject) => {
          clock.after(1_000, resolve);
          signal.addEventListener('abort', () => reject(new ShoalError('ERR_CANCELLED', 'aborted')));
        });
        await sink(BYTES.subarray(at, at + 1));
      }
    });
    scheduler.says = FROM_PARENT;
    const { peer } = await open();
    await until(() => scheduler.syncs.some(({ failures }) => failures.length > 0));
    expect(clock.now()).toBeLessThan(LIMITS.idleMs + 500);
    const [failure] = scheduler.syncs.flatMap(({ failures }) => failures);
    expect(failure).toMatchObject({ parent: PARENT.hostId, reason: 'stalled' });
    expect(failure?.error?.message).toContain('bytes a second');
    await until(() => peer.state === 'serving', 10_000);
    expect(peer.delivery.sources.map(({ from: name }) => name)).toContain(other.hostId);
  });
});

describe('a scheduler that is not believed', () => {
  test('has not answered: a peer goes adrift after the usual time, says why, and names the larger epoch', async () => {
    const { open, until, clock, membership, scheduler, events, logs } = peerScene();
    membership.acceptEpoch(partitionOf(TASK), EPOCH);
    scheduler.says = GEOMETRY;
    const { peer, states } = await open();
    await until(() => events.includes('peer.adrift'));
    expect(clock.now()).toBeLessThan(LIMITS.firstSyncMaxMs + 500);
    expect(membership.refused).toMatchObject({ why: 'older', epoch: 1, against: EPOCH });
    await until(() => peer.state === 'serving', 3_000);
    expect(states).toEqual(['joining', 'adrift', 'verifying', 'serving']);
    expect(peer.stats.originReasons).toEqual({ 'refused-epoch': BYTES.length });
    expect(scheduler.syncs.at(-1)?.fencedBy).toBe(EPOCH);
    expect(scheduler.syncs[0]?.fencedBy).toBeUndefined();
    expect(events).toContain('peer.adrift');
    expect(logs.map(({ message }) => message)).toContain('the scheduler’s epoch is refused; going on adrift');
  });

  test('in mid-download counts as silent, also where it asks for everything anew', async () => {
    const { open, until, clock, membership, scheduler, origin } = peerScene();
    origin.at.gate = gate().opened;
    scheduler.says = GEOMETRY;
    const { peer } = await open();
    await until(() => peer.state === 'transferring');
    membership.acceptEpoch(partitionOf(TASK), EPOCH);
    vi.spyOn(scheduler, 'answer').mockImplementation(() => ({ status: 'full', epoch: 1 }));
    const refusedMs = clock.now();
    await until(() => peer.state === 'adrift');
    expect(clock.now() - refusedMs).toBeLessThan(LIMITS.adriftAfterMs + 500);
  });

  test('is believed again once it has an epoch above', async () => {
    const { open, until, membership, scheduler, origin } = peerScene();
    origin.at.gate = gate().opened;
    membership.acceptEpoch(partitionOf(TASK), EPOCH);
    scheduler.says = GEOMETRY;
    const { peer } = await open();
    await until(() => peer.state === 'adrift');
    scheduler.epoch = EPOCH + 1;
    await until(() => peer.state === 'transferring');
    await until(() => scheduler.syncs.at(-1)?.fencedBy === undefined);
    expect(membership.refused).toBeUndefined();
  });

  test('a set of an epoch far ahead of the own clock fences nobody off', async () => {
    const { open, until, membership, push, scheduler, plane } = peerScene();
    plane.at.gate = gate().opened;
    scheduler.says = FROM_PARENT;
    const { peer } = await open();
    await until(() => peer.state === 'transferring');
    push(peer, { epoch: 2 ** 53 - 1 });
    expect(membership.refused).toMatchObject({ why: 'ahead' });
    plane.at.gate = Promise.resolve();
    await until(() => membership.refused === undefined, 1_000);
    expect(membership.epoch(partitionOf(TASK))).toBe(1);
    expect(peer.state).toBe('transferring');
  });
});

describe('a host that lies about hashes while there is no scheduler', () => {
  test('costs what rests on its word, which is fetched anew, and nothing more of it is taken', async () => {
    const { open, until, scheduler, membership, plane, origin, logs, store } = peerScene();
    const wrong = Buffer.from(BYTES);
    wrong[PIECE + 1] = 255 - (wrong[PIECE + 1] ?? 0);
    membership.know([PARENT]);
    scheduler.isSilent = true;
    const all = new Bitfield(3);
    for (const piece of [0, 1, 2]) all.add(piece);
    const hashes = [0, 1, 2].map((piece) => ({ piece, hash: hashOf(piece, wrong) }));
    plane.have.mockResolvedValue({ ...GEOMETRY, have: all, hashes, audience: 'public', home: plane.at.home });
    plane.fetch.mockImplementation(async ({ range }, sink) => sink(wrong.subarray(range.start, range.end)));
    const { peer } = await open();
    await until(() => peer.state === 'serving');
    expect(logs.map(({ message }) => message)).toContain(
      'the whole is wrong: what other hosts said of it is fetched anew',
    );
    expect(origin.read).toHaveBeenCalled();
    expect(store.row(TASK)?.complete).toBe(true);
    expect(peer.stats.received()).toMatchObject({ origin: BYTES.length });
  });
});
