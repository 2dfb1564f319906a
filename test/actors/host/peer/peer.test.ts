import { describe, expect, test, vi } from 'vitest';
import type { PeerInput } from '../../../../actors/host/peer/input.ts';
import { ShoalError } from '../../../../core/errors.ts';
import { packHashes, unpackHashes } from '../../../../core/hash-page.ts';
import type { TaskId } from '../../../../core/ids.ts';
import { LIMITS } from '../../../../core/limits.ts';
import {
  BYTES,
  FROM_ORIGIN,
  FROM_PARENT,
  from,
  GEOMETRY,
  gate,
  hashOf,
  PARENT,
  PIECE,
  peerScene,
  TASK,
} from './scene.ts';

const MISMATCH = { code: 'ERR_DIGEST_MISMATCH' as const, message: 'no source agrees', retryable: false };
const FULL = new ShoalError('ERR_STORE_FULL', 'no space');
const BROKEN = new ShoalError('ERR_STORE_IO', 'the disk is broken');

/** Bytes that differ from the content in this piece. */
function wrongIn(piece: number): Buffer {
  const bytes = Buffer.from(BYTES);
  bytes[piece * PIECE + 5] = 255 - (bytes[piece * PIECE + 5] ?? 0);
  return bytes;
}

/** A scene whose peer has all from the parent, with a client. */
async function served(input: Partial<PeerInput> = {}) {
  const scene = peerScene();
  scene.scheduler.says = FROM_PARENT;
  const opened = await scene.open(input);
  await scene.until(() => opened.peer.state === 'serving');
  return { ...scene, ...opened };
}

/** A scene whose peer has all from an origin whose first piece is wrong, and a scheduler that has not judged yet. */
async function contradicted(options: { intervalMs?: number } = {}) {
  const scene = peerScene();
  const { scheduler, origin } = scene;
  scheduler.says = FROM_ORIGIN;
  origin.at.bytes = wrongIn(0);
  const opened = await scene.open();
  scheduler.intervalMs = options.intervalMs ?? 50;
  await scene.until(() => opened.peer.contradicted);
  return { ...scene, ...opened };
}

describe('a peer opens', () => {
  test('content that is complete on disk is compared and served, its hashes are told, and nothing is asked for', async () => {
    const { keep, make, settle, until, scheduler, origin, plane, events } = peerScene();
    await keep(true);
    const peer = make();
    await settle(peer.start());
    expect(peer.stats.received().local).toBe(BYTES.length);
    await until(() => peer.state === 'serving' && scheduler.requests.length > 0);
    expect(scheduler.syncs.filter(({ wants }) => wants)).toEqual([]);
    expect(scheduler.syncs.flatMap(({ hashes }) => unpackHashes(hashes ?? new Uint8Array()))).toHaveLength(3);
    expect(origin.probe).not.toHaveBeenCalled();
    expect(plane.fetch).not.toHaveBeenCalled();
    expect(events).toEqual(['peer.joined', 'peer.completed']);
  });

  test('content that is complete but was never compared is compared before anybody is told', async () => {
    const { keep, open, until, store } = peerScene();
    await keep(false);
    const { peer, states } = await open();
    await until(() => peer.state === 'serving');
    expect(states).toEqual(['verifying', 'serving']);
    expect(store.row(TASK)?.complete).toBe(true);
  });

  test('a disk that cannot be read fails it with what the disk said', async () => {
    const { make, settle, store, events, until, scheduler } = peerScene();
    vi.spyOn(store, 'open').mockRejectedValue(BROKEN);
    const peer = make();
    await expect(settle(peer.start())).rejects.toBe(BROKEN);
    expect(peer.state).toBe('failed');
    expect(peer.error).toBe(BROKEN);
    await until(() => scheduler.requests.length > 0);
    expect(peer.state).toBe('failed');
    expect(events).toEqual(['peer.failed']);
  });

  test('a set that comes before the disk was read changes nothing', async () => {
    const { make, keep, store, push, settle, until } = peerScene();
    const stored = await keep(true);
    const create = vi.spyOn(store, 'create');
    const { opened, open } = gate();
    vi.spyOn(store, 'open').mockReturnValue(opened.then(() => stored));
    const peer = make();
    const started = peer.start();
    push(peer, { ...FROM_PARENT, length: 7 * PIECE, error: MISMATCH });
    open();
    await settle(started);
    await until(() => peer.state === 'serving');
    expect(create).not.toHaveBeenCalled();
    expect(peer.content.length).toBe(BYTES.length);
  });

  test('one that leaves before the disk was read keeps no hold of the content', async () => {
    const { make, keep, store, settle, scheduler, run } = peerScene();
    const stored = await keep(true);
    const pin = vi.spyOn(stored, 'pin');
    const { opened, open } = gate();
    vi.spyOn(store, 'open').mockReturnValue(opened.then(() => stored));
    const peer = make();
    const started = peer.start();
    const stopped = peer.stop();
    open();
    await settle(Promise.all([started, stopped]));
    await run(100);
    expect(pin.mock.results).toHaveLength(1);
    await store.remove(TASK);
    expect(store.row(TASK)).toBeUndefined();
    expect(peer.state).toBe('left');
    expect(scheduler.syncs.filter(({ wants }) => wants)).toEqual([]);
  });
});

describe('a peer fetches', () => {
  test('joins, fetches what it was leased, compares and seals the whole, and only then says that it is complete', async () => {
    const { scheduler, open, until, store, events, world, plane, origin } = peerScene();
    const sealed: (boolean | undefined)[] = [];
    const { emit } = world;
    Object.assign(world, {
      emit: (...what: Parameters<typeof emit>) => {
        if (what[0] === 'peer.completed') sealed.push(store.row(TASK)?.complete);
        emit(...what);
      },
    });
    const { open: release, opened } = gate();
    plane.at.gate = opened;
    const { peer, states } = await open();
    expect(peer.state).toBe('joining');
    await until(() => peer.state === 'transferring');
    scheduler.says = FROM_PARENT;
    await until(() => plane.fetch.mock.calls.length > 0);
    release();
    await until(() => peer.state === 'serving');
    expect(states).toEqual(['joining', 'transferring', 'verifying', 'serving']);
    expect(sealed).toEqual([true]);
    expect(events.filter((type) => type.startsWith('peer.'))).toEqual(['peer.joined', 'peer.completed']);
    expect(origin.probe).not.toHaveBeenCalled();
    expect(peer.stats.received()).toEqual({ origin: 0, peers: BYTES.length, local: 0 });
  });

  test('fetches what a pushed set leases, without asking again', async () => {
    const { open, until, push, run, scheduler } = peerScene();
    const { peer } = await open();
    await until(() => peer.state === 'transferring');
    await run(500);
    const before = scheduler.requests.length;
    push(peer, FROM_PARENT);
    await until(() => peer.content.complete, 20);
    expect(scheduler.requests.length).toBe(before);
  });

  test('a store that has no space for what a pushed set tells fails it', async () => {
    const { open, until, push, store } = peerScene();
    const { peer } = await open();
    await until(() => peer.state === 'transferring');
    vi.spyOn(store, 'create').mockRejectedValue(FULL);
    push(peer, FROM_PARENT);
    await until(() => peer.state === 'failed');
    expect(peer.error).toBe(FULL);
  });

  test('without a swarm it goes to the origin at once', async () => {
    const { open, until, clock, events, scheduler } = peerScene({ alone: true });
    const { peer, states } = await open();
    await until(() => peer.state === 'serving');
    expect(states).toEqual(['adrift', 'verifying', 'serving']);
    expect(clock.now()).toBeLessThan(500);
    expect(events).toContain('peer.adrift');
    expect(events).not.toContain('peer.recovered');
    expect(scheduler.requests).toEqual([]);
  });

  test('a scheduler that never answers sends it adrift, and one that answers calls it back', async () => {
    const { scheduler, open, until, clock, membership, plane, events, run } = peerScene();
    scheduler.isSilent = true;
    membership.know([PARENT]);
    plane.at.holds = false;
    const { peer } = await open({ mayReadOrigin: false });
    await until(() => peer.state === 'adrift');
    expect(clock.now()).toBeGreaterThanOrEqual(LIMITS.firstSyncMinMs);
    expect(events).toEqual(['peer.joined', 'peer.adrift']);
    await run(1_000);
    expect(plane.have.mock.calls.length).toBeGreaterThan(1);
    scheduler.isSilent = false;
    await until(() => peer.state === 'transferring');
    expect(events).toEqual(['peer.joined', 'peer.adrift', 'peer.recovered']);
    const asked = plane.have.mock.calls.length;
    await run(2_000);
    expect(plane.have.mock.calls.length).toBe(asked);
    expect(peer.state).toBe('transferring');
  });

  test('a scheduler that falls silent sends it adrift after three seconds, where it takes from the hosts it knows', async () => {
    const { scheduler, open, until, clock, membership, origin, events, plane } = peerScene();
    membership.know([PARENT]);
    const { peer, states } = await open();
    await until(() => peer.state === 'transferring');
    scheduler.isSilent = true;
    const silentMs = clock.now();
    await until(() => peer.state === 'adrift');
    expect(clock.now() - silentMs).toBeGreaterThan(LIMITS.adriftAfterMs - 200);
    await until(() => peer.state === 'serving');
    expect(states).toEqual(['joining', 'transferring', 'adrift', 'verifying', 'serving']);
    expect(plane.fetch).toHaveBeenCalled();
    expect(origin.read).not.toHaveBeenCalled();
    // All is here, and nobody has answered.
    expect(events).not.toContain('peer.recovered');
  });

  test('adrift it leaves to itself what a host has that was read elsewhere, and reads the origin', async () => {
    const { scheduler, open, until, membership, origin, plane, push } = peerScene();
    membership.know([PARENT]);
    const { peer } = await open();
    await until(() => peer.state === 'transferring');
    push(peer, GEOMETRY);
    await until(() => peer.content.home !== undefined);
    scheduler.isSilent = true;
    plane.at.home = 'elsewhere';
    await until(() => peer.state === 'serving', 60_000);
    expect(plane.have).toHaveBeenCalled();
    expect(plane.fetch).not.toHaveBeenCalled();
    expect(origin.read).toHaveBeenCalled();
  });

  test('adrift with nobody to ask and no way to the origin it fails', async () => {
    const { scheduler, open, until, events } = peerScene();
    scheduler.isSilent = true;
    const { peer } = await open({ sources: [], mayReadOrigin: false });
    await until(() => peer.state === 'failed', 60_000);
    expect(peer.error?.code).toBe('ERR_DIGEST_NO_SOURCE');
    expect(events.filter((type) => type === 'peer.failed')).toHaveLength(1);
  });

  test('who may read the origin where nobody could is told to the scheduler soon', async () => {
    const { open, until, run, scheduler } = peerScene();
    const { peer } = await open({ mayReadOrigin: false });
    await until(() => peer.state === 'transferring');
    await run(500);
    const before = scheduler.requests.length;
    const sources = [{ url: 'http://origin.test/b', credentials: false }];
    peer.addInput({ taskId: TASK, sources, headers: {}, mayReadOrigin: true });
    await until(() => scheduler.requests.length > before, 100);
    expect(scheduler.syncs.at(-1)).toMatchObject({ mayReadOrigin: true });
  });

  test('pieces that proved wrong are dropped and fetched anew, and what was hashed of them counts no more', async () => {
    const { scheduler, open, until, run, origin, push, logs } = peerScene();
    origin.at.bytes = wrongIn(0);
    scheduler.says = { ...GEOMETRY, leases: [{ first: 0, count: 1, parent: 'origin' }] };
    const { peer, states } = await open();
    await until(() => peer.content.has(0));
    scheduler.says = GEOMETRY;
    await run(3_000);
    const before = scheduler.requests.length;
    const hashes = packHashes([{ piece: 0, hash: hashOf(0) }]);
    push(peer, { ...GEOMETRY, hashes });
    expect(peer.state).toBe('transferring');
    await until(() => scheduler.requests.length > before, 100);
    expect(scheduler.syncs.at(-1)).toMatchObject({ base: 0 });
    expect(peer.content.has(0)).toBe(false);
    push(peer, { ...FROM_PARENT, hashFrom: 1 });
    push(peer, { ...FROM_PARENT, hashes: undefined, hashFrom: 1 });
    scheduler.says = { ...FROM_PARENT, hashFrom: 0 };
    await until(() => peer.state === 'serving');
    expect(states).toEqual(['joining', 'transferring', 'verifying', 'serving']);
    expect(logs.map(({ message }) => message)).not.toContain('the whole contradicts the digest');
  });

  test('a client that goes before the content is here takes the peer with it, another one keeps it', async () => {
    const { open, until, run, plane, scheduler, events } = peerScene();
    plane.at.gate = gate().opened;
    scheduler.says = FROM_PARENT;
    const { peer, unlisten } = await open();
    await until(() => plane.fetch.mock.calls.length > 0);
    const other = peer.listen(() => {});
    unlisten();
    unlisten();
    await run(1_000);
    expect(peer.state).toBe('transferring');
    other();
    expect(peer.state).toBe('left');
    expect(events).not.toContain('peer.failed');
    expect(plane.fetch.mock.calls.every(([, , signal]) => signal.aborted)).toBe(true);
  });
});

describe('a peer probes the origin', () => {
  const PROBE = { probe: true };

  test('reads the first bytes once, however often it is asked meanwhile, and uses them', async () => {
    const { scheduler, open, until, run, origin } = peerScene();
    const { opened, open: release } = gate();
    origin.at.gate = opened;
    scheduler.says = PROBE;
    const { peer } = await open();
    await until(() => origin.probe.mock.calls.length > 0);
    await run(3_000);
    expect(origin.probe).toHaveBeenCalledOnce();
    scheduler.says = {};
    release();
    await until(() => peer.state === 'serving');
    await until(() => scheduler.syncs.some(({ probed }) => probed?.length === BYTES.length));
    expect(peer.stats.received().origin).toBe(BYTES.length);
    expect(origin.read).not.toHaveBeenCalled();
  });

  test('tells soon that the origin failed, and asks it again as another client', async () => {
    const { scheduler, open, until, run, origin } = peerScene();
    const { opened, open: release } = gate();
    Object.assign(origin.at, {
      gate: opened,
      fault: new ShoalError('ERR_SOURCE_NOT_FOUND', 'the origin answered 404'),
    });
    scheduler.says = PROBE;
    const { peer } = await open();
    await until(() => origin.probe.mock.calls.length > 0);
    scheduler.says = {};
    await run(2_100);
    const before = scheduler.requests.length;
    release();
    await until(() => scheduler.requests.length > before, 100);
    expect(scheduler.syncs.at(-1)?.failures).toMatchObject([{ parent: 'origin', reason: 'origin-status' }]);
    origin.at.fault = undefined;
    scheduler.says = PROBE;
    const sources = [{ url: 'http://origin.test/b', credentials: false }];
    peer.addInput({ taskId: TASK, sources, headers: {}, mayReadOrigin: true });
    await until(() => peer.state === 'serving');
    expect(origin.probe).toHaveBeenCalledTimes(2);
  });

  test('a store that has no space for what the origin has fails it', async () => {
    const { scheduler, open, until, store, events } = peerScene();
    vi.spyOn(store, 'create').mockRejectedValue(FULL);
    scheduler.says = PROBE;
    const { peer } = await open();
    await until(() => peer.state === 'failed');
    expect(peer.error).toBe(FULL);
    expect(events).toContain('peer.failed');
  });

  test('ends when the peer leaves, and what comes after is not used', async () => {
    const { scheduler, open, until, settle, run, origin, store } = peerScene();
    const { opened, open: release } = gate();
    origin.at.gate = opened;
    scheduler.says = PROBE;
    const { peer } = await open();
    await until(() => origin.probe.mock.calls.length > 0);
    await settle(peer.stop());
    release();
    await run(1_000);
    expect(origin.probe.mock.calls[0]?.[1].aborted).toBe(true);
    expect(store.row(TASK)).toBeUndefined();
  });
});

describe('a peer verifies', () => {
  test('a disk that cannot be read back fails it', async () => {
    const { scheduler, open, until, plane, events } = peerScene();
    const { opened, open: release } = gate();
    plane.at.gate = opened;
    scheduler.says = FROM_PARENT;
    const { peer } = await open();
    await until(() => plane.fetch.mock.calls.length > 0);
    if (peer.content.stored) vi.spyOn(peer.content.stored, 'read').mockRejectedValue(BROKEN);
    release();
    await until(() => peer.state === 'failed');
    expect(peer.error).toBe(BROKEN);
    expect(events).toEqual([
      'peer.joined',
      'piece.verified',
      'piece.verified',
      'piece.verified',
      'peer.failed',
    ]);
  });

  test('a disk that cannot note that all is there fails it, and nobody is told that it is complete', async () => {
    const { scheduler, open, until, plane, events } = peerScene();
    const { opened, open: release } = gate();
    plane.at.gate = opened;
    scheduler.says = FROM_PARENT;
    const { peer } = await open();
    await until(() => plane.fetch.mock.calls.length > 0);
    if (peer.content.stored) vi.spyOn(peer.content.stored, 'seal').mockRejectedValue(BROKEN);
    release();
    await until(() => peer.state === 'failed');
    expect(peer.error).toBe(BROKEN);
    expect(events.filter((type) => type.startsWith('peer.'))).toEqual(['peer.joined', 'peer.failed']);
  });

  test('a whole that contradicts the digest is told until the scheduler says what to read again', async () => {
    const { scheduler, peer, states, until, run, logs, origin } = await contradicted();
    expect(states.at(-1)).toBe('verifying');
    const told = () => scheduler.syncs.filter(({ mismatch }) => mismatch !== undefined);
    await until(() => told().length >= 3);
    expect(told().every(({ mismatch }) => mismatch?.agreed.length === 0)).toBe(true);
    expect(logs.filter(({ message }) => message === 'the whole contradicts the digest')).toHaveLength(1);
    const { opened, open: release } = gate();
    origin.at.gate = opened;
    origin.at.bytes = BYTES;
    origin.read.mockClear();
    scheduler.says = { ...GEOMETRY, samples: [0, 2] };
    await until(() => origin.read.mock.calls.length > 0);
    const before = told().length;
    await until(() => scheduler.syncs.filter(({ mismatch }) => mismatch === undefined).length > 4);
    expect(told().length).toBe(before);
    expect(origin.read).toHaveBeenCalledOnce();
    scheduler.says = GEOMETRY;
    await run(100);
    release();
    await until(() => told().length > before);
    expect(told().at(-1)?.mismatch).toEqual({ agreed: [2], differed: [0] });
    expect(origin.read).toHaveBeenCalledTimes(2);
    // Not settled by that: it is told again.
    await until(() => told().length > before + 1);
    expect(told().at(-1)?.mismatch).toEqual({ agreed: [], differed: [] });
    expect(peer.state).toBe('verifying');
  });

  test.each([
    ['read again', undefined],
    ['not to be read again', new ShoalError('ERR_SOURCE_UNAVAILABLE', 'no answer')],
  ])('what was %s is told at the pace of news, and the peer goes on waiting', async (_, fault) => {
    const intervalMs = 1_000;
    const { scheduler, until, run, logs, origin, clock, peer } = await contradicted({ intervalMs });
    await run(3_000);
    const { opened, open: release } = gate();
    Object.assign(origin.at, { gate: opened, fault });
    scheduler.says = { ...GEOMETRY, samples: [1] };
    await until(() => !peer.contradicted);
    scheduler.says = GEOMETRY;
    const beganMs = clock.now();
    release();
    const before = scheduler.requests.length;
    await until(() => scheduler.requests.length > before);
    expect(clock.now() - beganMs).toBeLessThan(intervalMs * 0.75);
    expect(peer.contradicted).toBe(true);
    const unread = logs.filter(({ message }) => message === 'the source could not be read again');
    expect(unread).toHaveLength(fault === undefined ? 0 : 1);
    await until(() => scheduler.syncs.at(-1)?.mismatch?.agreed.length === 0);
  });

  test.each(['ERR_SOURCE_PROTOCOL', 'ERR_TASK_CHANGED', 'ERR_SOURCE_REFUSED'] as const)(
    'samples that will not be read another time either (%s) end the task, and the origin is left alone',
    async (code) => {
      const { scheduler, peer, until, run, origin, store } = await contradicted();
      origin.at.fault = new ShoalError(code, 'no');
      origin.read.mockClear();
      scheduler.says = { ...GEOMETRY, samples: [1] };
      await until(() => peer.state === 'failed');
      await run(5_000);
      expect(origin.read).toHaveBeenCalledOnce();
      expect(peer.error?.code).toBe('ERR_DIGEST_MISMATCH');
      expect(store.row(TASK)).toBeUndefined();
    },
  );

  test('pieces that are to blame are dropped and fetched anew, and the whole is compared from its first byte', async () => {
    const { scheduler, peer, states, until } = await contradicted();
    scheduler.says = FROM_PARENT;
    await until(() => peer.state === 'serving');
    expect(states).toEqual(['joining', 'transferring', 'verifying', 'joining', 'verifying', 'serving']);
  });

  test('a claim that was dropped takes all that is here with it, and the next source is read', async () => {
    const { scheduler, peer, until, origin } = await contradicted();
    origin.at.bytes = BYTES;
    scheduler.says = { ...FROM_ORIGIN, claim: 2 };
    await until(() => peer.state === 'serving');
    expect(peer.stats.received().origin).toBe(2 * BYTES.length);
  });

  test('a scheduler that falls silent leaves nobody to settle it: the task fails, and nothing is kept', async () => {
    const { scheduler, peer, until, run, clock, store, events } = await contradicted();
    await run(500);
    scheduler.isSilent = true;
    const silentMs = clock.now();
    await until(() => peer.state === 'failed');
    expect(clock.now() - silentMs).toBeGreaterThan(LIMITS.adriftAfterMs - 200);
    expect(peer.error?.code).toBe('ERR_DIGEST_MISMATCH');
    expect(store.row(TASK)).toBeUndefined();
    expect(events.filter((type) => type === 'peer.failed')).toHaveLength(1);
  });

  test('without a swarm a whole that contradicts the digest fails at once, and nothing is kept', async () => {
    const { open, until, origin, store, clock, logs } = peerScene({ alone: true });
    origin.at.bytes = wrongIn(1);
    const { peer } = await open();
    await until(() => peer.state === 'failed');
    expect(clock.now()).toBeLessThan(500);
    expect(peer.error?.code).toBe('ERR_DIGEST_MISMATCH');
    expect(store.row(TASK)).toBeUndefined();
    expect(logs.map(({ message }) => message)).toContain('the whole contradicts the digest');
  });
});

describe('a peer serves', () => {
  test.each([
    ['pushed', 'ERR_DIGEST_MISMATCH'],
    ['answered', 'ERR_DIGEST_MISMATCH'],
    ['pushed', 'ERR_TASK_FAILED'],
  ] as const)('a late set with an error (%s, %s) takes nothing away from it', async (how, code) => {
    const { peer, push, scheduler, run, store, events } = await served();
    const error = { ...MISMATCH, code };
    if (how === 'pushed') push(peer, { error });
    else {
      scheduler.says = { error };
      push(peer, { ...GEOMETRY, epoch: 2 });
      scheduler.epoch = 2;
    }
    await run(1_000);
    expect(peer.state).toBe('serving');
    expect(peer.error).toBeUndefined();
    expect(events).not.toContain('peer.failed');
    expect(store.row(TASK)?.complete).toBe(true);
    expect(peer.content.complete).toBe(true);
  });

  test('leaves a minute after the last client, and tells the scheduler nothing that it knows', async () => {
    const { peer, run, unlisten } = await served();
    await run(2 * LIMITS.idleActorMs);
    expect(peer.state).toBe('serving');
    unlisten();
    await run(LIMITS.idleActorMs - 10);
    expect(peer.state).toBe('serving');
    const again = peer.listen(() => {});
    await run(LIMITS.idleActorMs);
    expect(peer.state).toBe('serving');
    again();
    await run(LIMITS.idleActorMs - 10);
    expect(peer.state).toBe('serving');
    await run(20);
    expect(peer.state).toBe('left');
  });

  test('one that nobody waits for leaves a minute after it is complete', async () => {
    const { make, scheduler, settle, until, run } = peerScene();
    scheduler.says = FROM_PARENT;
    const peer = make();
    await settle(peer.start());
    await until(() => peer.state === 'serving');
    await run(LIMITS.idleActorMs - 10);
    expect(peer.state).toBe('serving');
    await run(20);
    expect(peer.state).toBe('left');
  });

  test('fetches anew what proves wrong of content without a digest, and serves again', async () => {
    const taskId = `url-${'ab'.repeat(32)}` as TaskId;
    const { peer, states, push, until, scheduler } = await served({ taskId });
    const hash = new Uint8Array(32);
    scheduler.says = {};
    push(peer, { ...GEOMETRY, hashFrom: 3, hashes: packHashes([{ piece: 1, hash }]) });
    await until(() => !peer.content.has(1));
    await until(() => peer.state === 'transferring');
    push(peer, { ...FROM_PARENT, hashFrom: 4 });
    scheduler.says = { ...FROM_PARENT, hashFrom: 4 };
    await until(() => peer.state === 'serving');
    expect(states.slice(-4)).toEqual(['joining', 'transferring', 'verifying', 'serving']);
  });
});

describe('a peer ends', () => {
  test.each(['joining', 'transferring', 'verifying'] as const)(
    'a task that fails while %s fails it: why is told once, and wrong content is not kept',
    async (state) => {
      const scene = state === 'verifying' ? await contradicted() : { ...peerScene(), peer: undefined };
      const { open, until, push, settle, scheduler, events, logs, store } = scene;
      if (state === 'joining') scheduler.isSilent = true;
      if (state === 'transferring') scheduler.says = { ...GEOMETRY, leases: from('origin').slice(1) };
      const peer = scene.peer ?? (await open()).peer;
      await until(() => peer.state === state);
      push(peer, { error: MISMATCH });
      expect(peer.state).toBe('failed');
      expect(peer.error).toMatchObject({ code: 'ERR_DIGEST_MISMATCH', message: 'no source agrees' });
      expect(store.row(TASK)).toBeUndefined();
      await settle(peer.stop());
      expect(peer.state).toBe('failed');
      expect(events.filter((type) => type === 'peer.failed')).toHaveLength(1);
      expect(logs.filter(({ message }) => message === 'download failed')).toHaveLength(1);
    },
  );

  test('what is right stays on disk when the task fails for another reason', async () => {
    const { scheduler, open, until, push, store } = peerScene();
    scheduler.says = { ...GEOMETRY, leases: [{ first: 1, count: 1, parent: 'origin' }] };
    const { peer } = await open();
    await until(() => peer.content.has(1));
    push(peer, { error: { ...MISMATCH, code: 'ERR_TASK_FAILED' } });
    expect(peer.state).toBe('failed');
    expect(store.row(TASK)?.storedBytes).toBe(PIECE);
  });

  test('a disk that is full, and an origin that has other content, fail it', async () => {
    for (const fault of [FULL, new ShoalError('ERR_TASK_CHANGED', 'other content')]) {
      const { scheduler, open, until, origin } = peerScene();
      scheduler.says = FROM_ORIGIN;
      origin.at.fault = fault;
      const { peer } = await open();
      await until(() => peer.state === 'failed');
      expect(peer.error).toBe(fault);
    }
  });

  test('one that leaves stops its transfers, tells the scheduler, and has ended when both are done', async () => {
    const { scheduler, open, until, settle, plane, events } = peerScene();
    plane.at.gate = gate().opened;
    scheduler.says = FROM_PARENT;
    const { peer } = await open();
    await until(() => plane.fetch.mock.calls.length > 0);
    const before = scheduler.requests.length;
    const stopped = peer.stop();
    expect(peer.state).toBe('left');
    await settle(stopped);
    expect(plane.fetch.mock.calls.every(([, , signal]) => signal.aborted)).toBe(true);
    expect(scheduler.syncs.slice(before)).toMatchObject([{ wants: false, freeSlots: 0 }]);
    expect(peer.state).toBe('left');
    expect(peer.error).toBeUndefined();
    expect(events).not.toContain('peer.failed');
  });

  test('nothing that comes while it leaves calls it back, or has it leave twice', async () => {
    const { scheduler, open, until, settle, push, run, events } = peerScene();
    const opened = await open();
    await until(() => opened.peer.state === 'transferring');
    await run(500);
    scheduler.isSilent = true;
    const before = scheduler.requests.length;
    const stopped = opened.peer.stop();
    push(opened.peer, { error: MISMATCH });
    push(opened.peer, FROM_PARENT);
    opened.unlisten();
    opened.peer.leave();
    await settle(stopped);
    expect(scheduler.requests.length - before).toBe(1);
    expect(opened.peer.state).toBe('left');
    expect(opened.peer.content.stored).toBeUndefined();
    expect(events).not.toContain('peer.failed');
  });

  test('a defect in its own code ends it with ERR_INTERNAL, and stops what runs', async () => {
    const { scheduler, open, until, settle, world, logs } = peerScene();
    Object.assign(world, {
      emit: (type: string) => {
        if (type === 'peer.completed') throw new Error('no such thing');
      },
    });
    scheduler.says = FROM_PARENT;
    const { peer, states } = await open();
    await until(() => peer.ended);
    expect(peer.error).toMatchObject({ code: 'ERR_INTERNAL', message: 'no such thing' });
    expect(states.at(-1)).toBe('failed');
    expect(logs.map(({ message }) => message)).toContain('peer actor crashed');
    await settle(peer.stop());
  });

  test('the parent it knows is not asked for more than it was leased', async () => {
    const { plane } = await served();
    const asked = plane.fetch.mock.calls.map(([{ parent, range }]) => [
      parent.hostId,
      range.start,
      range.end,
    ]);
    expect(asked).toEqual([[PARENT.hostId, 0, BYTES.length]]);
  });
});
