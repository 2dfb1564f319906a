import { createHash } from 'node:crypto';
import { vi } from 'vitest';
import { Membership } from '../../../../actors/host/membership.ts';
import type { PeerInput } from '../../../../actors/host/peer/input.ts';
import { PeerActor } from '../../../../actors/host/peer/peer.ts';
import { PeerShare } from '../../../../actors/host/peer/share.ts';
import type { HostWorld } from '../../../../actors/host/world.ts';
import { Bitfield } from '../../../../core/bitfield.ts';
import { ShoalError } from '../../../../core/errors.ts';
import { packHashes } from '../../../../core/hash-page.ts';
import { type HostId, hostIdFrom, type TaskId } from '../../../../core/ids.ts';
import { silentHostMetrics } from '../../../../core/metrics.ts';
import type { LeaseSet, SyncReply, SyncRequest } from '../../../../core/sync-messages.ts';
import type { DataPlane, HaveReply } from '../../../../dataplane/data-plane.ts';
import type { Origin } from '../../../../origins/origin.ts';
import { SimClock } from '../../../../sim/clock.ts';
import { SimRandom } from '../../../../sim/random.ts';
import { createMemoryStore } from '../../../../storage/memory-store.ts';
import { createMemoryHub } from '../../../../transport/memory-bus.ts';
import { SUBJECTS } from '../../../../transport/subjects.ts';

export const PIECE = 1024;
const LENGTH = 3 * PIECE;
export const GEOMETRY = { length: LENGTH, pieceLength: PIECE };
export const URL_A = 'http://origin.test/a';
export const PARENT = { hostId: hostIdFrom(new Uint8Array(16).fill(2)), ip: '10.0.0.2', port: 4000 };
const PEER: HostId = hostIdFrom(new Uint8Array(16).fill(1));

/** The content of every scene: three pieces. */
export const BYTES = Buffer.from(Array.from({ length: LENGTH }, (_, at) => (at * 7 + (at >> 8)) & 255));
export const TASK = `sha256-${createHash('sha256').update(BYTES).digest('hex')}` as TaskId;

export const hashOf = (piece: number, bytes = BYTES) =>
  createHash('sha256')
    .update(bytes.subarray(piece * PIECE, (piece + 1) * PIECE))
    .digest();

export const HASHES = packHashes([0, 1, 2].map((piece) => ({ piece, hash: hashOf(piece) })));

/** A lease of all three pieces. */
export const from = (parent: HostId | 'origin') => [{ first: 0, count: 3, parent }];

/** What a set says where it leases all from a host. */
export const FROM_PARENT = {
  ...GEOMETRY,
  hashFrom: 0,
  hashes: HASHES,
  parents: [PARENT],
  leases: from(PARENT.hostId),
};

/** What a set says where it leases all from the origin. */
export const FROM_ORIGIN = { ...GEOMETRY, leases: from('origin') };

/** Holds what waits for it until it is opened. */
export function gate() {
  let open = () => {};
  const opened = new Promise<void>((resolve) => {
    open = resolve;
  });
  return { opened, open };
}

/** A scheduler that is only its words: what it says next is set, and each sync is kept. */
class Scheduler {
  readonly requests: { readonly atMs: number; readonly sync: SyncRequest }[] = [];
  isSilent = false;
  intervalMs = 50;
  says: Partial<LeaseSet> = {};
  epoch = 1;
  #number = 0;
  readonly #clock: SimClock;

  constructor(clock: SimClock) {
    this.#clock = clock;
  }

  answer(sync: SyncRequest): SyncReply | Promise<SyncReply> {
    this.requests.push({ atMs: this.#clock.now(), sync });
    if (this.isSilent) return new Promise(() => {});
    return { status: 'ok', seq: sync.seq, intervalMs: this.intervalMs, ...this.set(this.says) };
  }

  set(more: Partial<LeaseSet>): LeaseSet {
    this.#number += 1;
    return {
      epoch: this.epoch,
      number: this.#number,
      leases: [],
      originAtOnce: 4,
      parents: [],
      claim: 1,
      hashFrom: 0,
      sources: [],
      audience: 'public',
      state: 'distributing',
      ...more,
    };
  }

  /** All syncs so far. */
  get syncs(): SyncRequest[] {
    return this.requests.map(({ sync }) => sync);
  }
}

/** An origin that gives `bytes`, each answer once `gate` is open. */
function fakeOrigin() {
  const at = {
    bytes: BYTES as Uint8Array,
    gate: Promise.resolve(),
    fault: undefined as ShoalError | undefined,
  };
  const ready = async (signal: AbortSignal) => {
    const { gate, fault } = at;
    await gate;
    if (fault !== undefined) throw fault;
    signal.throwIfAborted();
  };
  const read = vi.fn<Origin['read']>(async ({ range }, sink, signal) => {
    await ready(signal);
    await sink(at.bytes.subarray(range.start, range.end));
  });
  const probe = vi.fn<Origin['probe']>(async (_, signal) => {
    await ready(signal);
    const probed = { length: LENGTH, etag: '"1"', ranges: true, audience: 'public' as const };
    const pump = async (sink: (chunk: Uint8Array) => void | Promise<void>) => {
      await sink(at.bytes);
      return LENGTH;
    };
    return { kind: 'content', probed, body: { start: 0, end: LENGTH, pump, discard() {} } };
  });
  const origin: Origin = { read, probe, allows: () => true, close: async () => {} };
  return Object.assign(origin, { at, read, probe });
}

/** Hosts that hold all, or nothing, each answer once `gate` is open. */
function fakePlane() {
  const at = { gate: Promise.resolve(), holds: true };
  const fetch = vi.fn<DataPlane['fetch']>(async ({ range }, sink, signal) => {
    const aborted = new Promise<never>((_, reject) => {
      signal.addEventListener('abort', () => reject(new ShoalError('ERR_CANCELLED', 'aborted')));
    });
    await Promise.race([at.gate, aborted]);
    await sink(BYTES.subarray(range.start, range.end));
  });
  const have = vi.fn<DataPlane['have']>(async () => {
    if (!at.holds) throw new ShoalError('ERR_PEER_MISSING', 'not here');
    const all = new Bitfield(3);
    for (const piece of [0, 1, 2]) all.add(piece);
    const hashes = [0, 1, 2].map((piece) => ({ piece, hash: hashOf(piece) }));
    const reply: HaveReply = { ...GEOMETRY, have: all, hashes, audience: 'public' };
    return reply;
  });
  return { at, fetch, have, close: async () => {} };
}

/** One real peer in virtual time, between a scheduler, an origin and hosts that are played. */
export function peerScene(options: { alone?: boolean } = {}) {
  const clock = new SimClock();
  const random = new SimRandom(1);
  const hub = createMemoryHub({ clock, random: random.fork('hub'), latencyMs: () => 1 });
  const scheduler = new Scheduler(clock);
  hub.bus('scheduler').serve(SUBJECTS.sync, {}, (sync) => scheduler.answer(sync));
  const origin = fakeOrigin();
  const plane = fakePlane();
  const store = createMemoryStore({ clock });
  const events: string[] = [];
  const logs: { readonly level: string; readonly message: string }[] = [];
  const log = (level: string) => (_: unknown, message: string) => void logs.push({ level, message });
  const world: HostWorld = {
    clock,
    random,
    bus: hub.bus(PEER),
    emit: (type) => void events.push(type),
    log: { debug: log('debug'), info: log('info'), warn: log('warn'), error: log('error') },
    hostId: PEER,
    incarnation: 1,
    role: 'normal',
    store,
    dataPlane: plane,
    origin,
    metrics: silentHostMetrics,
    originReaders: 'all',
    alone: options.alone ?? false,
  };
  const membership = new Membership(clock);
  const make = (input: Partial<PeerInput> = {}) =>
    new PeerActor(world, membership, new PeerShare(), {
      taskId: TASK,
      sources: [{ url: URL_A, credentials: false }],
      headers: {},
      mayReadOrigin: true,
      ...input,
    });
  /** Lets virtual time run until something holds. @throws where it does not within the time */
  const until = async (done: () => boolean, withinMs = 20_000) => {
    const isDone = await clock.run(clock.now() + withinMs, done);
    if (!isDone) throw new Error(`it did not happen within ${withinMs} ms`);
  };
  const settle = async <T>(promise: Promise<T>, withinMs?: number): Promise<T> => {
    let ended = false;
    const end = () => {
      ended = true;
    };
    promise.then(end, end);
    await until(() => ended, withinMs);
    return promise;
  };
  /** A peer at work, with a client that waits for it; `states` are those it went through. */
  const open = async (input: Partial<PeerInput> = {}) => {
    const peer = make(input);
    const states: string[] = [];
    const unlisten = peer.listen(() => {
      if (peer.state !== states.at(-1)) states.push(peer.state);
    });
    await settle(peer.start());
    return { peer, states, unlisten };
  };
  /** The content on disk, as an earlier life left it. */
  const keep = async (sealed: boolean) => {
    const stored = await store.create({ taskId: TASK, ...GEOMETRY, audience: 'public', sources: [] });
    const writer = stored.writer(0, 3, (piece, hash, length) => stored.commit(piece, hash, length));
    await writer.write(BYTES);
    if (sealed) await stored.seal();
    return stored;
  };
  const run = (ms: number) => clock.run(clock.now() + ms);
  const push = (peer: PeerActor, more: Partial<LeaseSet>) => peer.push(scheduler.set(more));
  return {
    ...{ clock, scheduler, origin, plane, store, events, logs, world, membership },
    ...{ make, open, keep, until, settle, run, push },
  };
}
