import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { PeerContent } from '../../../../actors/host/peer/content.ts';
import { SyncState } from '../../../../actors/host/peer/sync-state.ts';
import { Bitfield } from '../../../../core/bitfield.ts';
import { createCounter } from '../../../../core/counter.ts';
import { unpackHashes } from '../../../../core/hash-page.ts';
import { LIMITS } from '../../../../core/limits.ts';
import type { Source } from '../../../../core/source.ts';
import type { PieceFailure, SyncRequest } from '../../../../core/sync-messages.ts';

const facts = {
  running: [],
  queued: [],
  freeSlots: 1,
  transferBytesPerSec: 0,
  urgent: undefined,
  wants: true,
  mayReadOrigin: true,
  adrift: false,
  contradicted: false,
  received: { origin: 0, peers: 0, local: 0 },
};

/** A host's side: what it has, and the state under test. */
function hostOf(pieces: number) {
  const have = new Bitfield(pieces);
  const sources: Source[] = [];
  const content = { stored: { have }, length: pieces, pieceLength: 1, sources };
  const sync = new SyncState(1, content as unknown as PeerContent, createCounter());
  const store = (piece: number) => {
    if (have.add(piece)) sync.stored(piece);
  };
  return { have, sources, sync, store, send: (wants = true) => copy(sync.request({ ...facts, wants })) };
}

/** What the bus does to a message: it arrives as it was when it left. */
function copy(request: SyncRequest): SyncRequest {
  return structuredClone(request);
}

const hashOf = (piece: number) => new Uint8Array(32).fill(piece + 1);
const failureOf = (first: number): PieceFailure => ({ first, count: 1, parent: 'origin', reason: 'stalled' });

/** The rules by which a scheduler takes syncs, and nothing else. */
class ModelScheduler {
  readonly epoch: number;
  readonly have = new Set<number>();
  readonly hashes = new Set<number>();
  readonly failures = new Set<number>();
  mismatches = 0;
  #lastSeq = 0;
  #fullSeq = 0;
  #number = 0;
  readonly #pieces: number;

  constructor(epoch: number, pieces: number) {
    this.epoch = epoch;
    this.#pieces = pieces;
  }

  take(request: SyncRequest) {
    const { seq, base } = request;
    if (seq > this.#lastSeq) {
      if (base !== 0 && (this.#fullSeq === 0 || base < this.#fullSeq || base > this.#lastSeq)) {
        return { status: 'full' as const, epoch: this.epoch };
      }
      if (base === 0) {
        this.#fullSeq = seq;
        this.have.clear();
        for (const piece of new Bitfield(this.#pieces, request.have).ones()) this.have.add(piece);
      }
      for (const piece of request.added) this.have.add(piece);
      for (const { piece } of unpackHashes(request.hashes ?? new Uint8Array()) ?? []) this.hashes.add(piece);
      for (const { first } of request.failures) this.failures.add(first);
      if (request.mismatch) this.mismatches += 1;
      this.#lastSeq = seq;
    }
    return { status: 'ok' as const, seq, ...this.push() };
  }

  /** A set that nobody asked for. */
  push() {
    this.#number += 1;
    return { epoch: this.epoch, number: this.#number };
  }
}

type Reply = ReturnType<ModelScheduler['take']>;

function hear(sync: SyncState, reply: Reply): void {
  if (reply.status === 'full') return sync.startOver();
  sync.acknowledged(reply.seq, reply.epoch);
  sync.accept(reply);
}

describe('a sync', () => {
  test('says everything first, then only what is new, and nothing twice once it was heard', () => {
    const { store, send, sync } = hostOf(16);
    store(1);
    const first = send();
    expect({ base: first.base, have: first.have, added: first.added }).toEqual({
      base: 0,
      have: new Uint8Array([0x40, 0]),
      added: [],
    });
    sync.acknowledged(first.seq, 1);
    store(2);
    store(3);
    const second = send();
    expect({ base: second.base, have: second.have, added: second.added }).toEqual({
      base: first.seq,
      have: undefined,
      added: [2, 3],
    });
    sync.acknowledged(second.seq, 1);
    expect(send().added).toEqual([]);
    expect(sync.hasNews).toBe(false);
  });

  test('says again what was not heard, with what came since', () => {
    const { store, send, sync } = hostOf(16);
    sync.acknowledged(send().seq, 1);
    store(1);
    sync.failed(failureOf(9));
    sync.probed({ ranges: true, audience: 'public' });
    send();
    store(2);
    const again = send();
    expect(again.added).toEqual([1, 2]);
    expect(again.failures).toEqual([failureOf(9)]);
    expect(again.probed).toBeDefined();
    sync.acknowledged(again.seq, 1);
    const next = send();
    expect({ added: next.added, failures: next.failures, probed: next.probed }).toEqual({
      added: [],
      failures: [],
      probed: undefined,
    });
  });

  test('is heard only by the answer to the last one', () => {
    const { store, send, sync } = hostOf(16);
    sync.acknowledged(send().seq, 1);
    store(1);
    const late = send();
    store(2);
    const last = send();
    sync.acknowledged(late.seq, 1);
    expect(send().added).toEqual([1, 2]);
    sync.acknowledged(last.seq, 1);
    expect(send().added).toEqual([1, 2]);
  });

  test('is heard once, however often its answer comes', () => {
    const { store, send, sync } = hostOf(16);
    store(0);
    const { seq } = send();
    sync.acknowledged(seq, 1);
    store(1);
    sync.acknowledged(seq, 1);
    expect(send().added).toEqual([1]);
  });

  test('keeps what happens while it is on its way', () => {
    const { store, send, sync } = hostOf(16);
    const first = send();
    store(1);
    sync.failed(failureOf(2));
    sync.readFromOrigin(1, hashOf(1));
    sync.acknowledged(first.seq, 0);
    const next = send();
    expect(next.added).toEqual([1]);
    expect(next.failures).toEqual([failureOf(2)]);
    expect(unpackHashes(next.hashes ?? new Uint8Array())).toEqual([{ piece: 1, hash: hashOf(1) }]);
  });

  test('keeps a verdict that falls while an earlier one is on its way', () => {
    const { send, sync } = hostOf(16);
    sync.mismatched([], []);
    const asking = send();
    sync.mismatched([1], [2]);
    sync.acknowledged(asking.seq, 1);
    expect(send().mismatch).toEqual({ agreed: [1], differed: [2] });
  });

  test('keeps what a second origin told while the first is on its way', () => {
    const { send, sync } = hostOf(16);
    sync.probed({ ranges: true, audience: 'public' });
    const first = send();
    sync.probed({ ranges: false, audience: 'source' });
    sync.acknowledged(first.seq, 1);
    expect(send().probed).toEqual({ ranges: false, audience: 'source' });
  });

  test('has news as long as a hash read here is untold, however many pages they are', () => {
    const { send, sync } = hostOf(16);
    for (let piece = 0; piece <= LIMITS.hashesPerPage; piece += 1) sync.readFromOrigin(piece, hashOf(0));
    sync.acknowledged(send().seq, 0);
    expect(sync.hasNews).toBe(true);
    sync.acknowledged(send().seq, 0);
    expect(sync.hasNews).toBe(false);
  });

  test('is a message of its own: what happens later does not change it', () => {
    const { send, sync } = hostOf(16);
    sync.failed(failureOf(1));
    const request = sync.request(facts);
    const sent = copy(request);
    sync.acknowledged(request.seq, 1);
    send();
    expect(request).toEqual(sent);
  });

  test('names its sources until they were heard, and all of them again with each new one or to another scheduler', () => {
    const { send, sources, sync } = hostOf(16);
    const source = (name: string): Source => ({ url: `http://${name}/`, credentials: false });
    sources.push(source('a'));
    expect(send().sources).toEqual([source('a')]);
    const first = send();
    expect(first.sources).toEqual([source('a')]);
    sources.push(source('b'));
    sync.acknowledged(first.seq, 1);
    const second = send();
    expect(second.sources).toEqual([source('a'), source('b')]);
    sync.acknowledged(second.seq, 1);
    expect(send().sources).toEqual([]);
    sync.startOver();
    expect(send().sources).toEqual([source('a'), source('b')]);
  });

  test('leaves rest known only once it was heard, and until something is wanted or is new', () => {
    const { send, store, sync } = hostOf(16);
    sync.acknowledged(send().seq, 1);
    expect(sync.restIsKnown).toBe(false);
    const rest = send(false);
    expect(sync.restIsKnown).toBe(false);
    sync.acknowledged(rest.seq, 1);
    expect(sync.restIsKnown).toBe(true);
    store(1);
    expect(sync.restIsKnown).toBe(false);
    sync.acknowledged(send(false).seq, 1);
    expect(sync.restIsKnown).toBe(true);
    send();
    expect(sync.restIsKnown).toBe(false);
  });

  test('stays within a message, and the rest follows', () => {
    const pieces = 40_000;
    const { store, send, sync } = hostOf(pieces);
    sync.acknowledged(send().seq, 0);
    for (let piece = 0; piece < pieces; piece += 1) {
      store(piece);
      if (piece < 10_000) sync.readFromOrigin(piece, hashOf(0));
    }
    for (let piece = 0; piece < 1_000; piece += 1) sync.failed(failureOf(piece));
    const scheduler = { added: 0, hashes: 0 };
    for (let round = 0; round < 4; round += 1) {
      const request = send();
      expect(request.added.length).toBeLessThanOrEqual(16_384);
      expect(request.failures.length).toBeLessThanOrEqual(256);
      const hashes = unpackHashes(request.hashes ?? new Uint8Array()) ?? [];
      expect(hashes.length).toBeLessThanOrEqual(LIMITS.hashesPerPage);
      scheduler.added += request.added.length;
      scheduler.hashes += hashes.length;
      sync.acknowledged(request.seq, 0);
    }
    expect(scheduler).toEqual({ added: pieces, hashes: 10_000 });
  });

  test('forgets what was read from the origin when the claim is dropped', () => {
    const { have, send, store, sync } = hostOf(16);
    store(1);
    sync.readFromOrigin(1, hashOf(1));
    sync.mismatched([], []);
    have.delete(1);
    sync.forgetClaim();
    const request = send();
    expect({ base: request.base, hashes: request.hashes, mismatch: request.mismatch }).toEqual({
      base: 0,
      hashes: undefined,
      mismatch: undefined,
    });
    expect(sync.hasNews).toBe(false);
  });
});

describe('a lease set', () => {
  test('is accepted only if it is newer than all before, by epoch and number', () => {
    fc.assert(
      fc.property(
        fc.array(fc.record({ epoch: fc.nat({ max: 4 }), number: fc.integer({ min: 1, max: 6 }) })),
        (sets) => {
          const { sync } = hostOf(1);
          let newest = { epoch: 0, number: 0 };
          for (const set of sets) {
            const newer =
              set.epoch > newest.epoch || (set.epoch === newest.epoch && set.number > newest.number);
            expect(sync.accept(set)).toBe(newer);
            if (newer) newest = set;
            expect(sync.seen).toEqual(newest);
          }
        },
      ),
    );
  });

  test('of a scheduler just born has the log of hashes read from its start, and what was read here told again', () => {
    const { send, sync } = hostOf(4);
    sync.readFromOrigin(1, hashOf(1));
    sync.accept({ epoch: 1, number: 1 });
    sync.acknowledged(send().seq, 1);
    sync.hashCursor = 9;
    sync.claim = 2;
    expect(send().hashes).toBeUndefined();
    sync.accept({ epoch: 2, number: 1 });
    expect({ cursor: sync.hashCursor, claim: sync.claim }).toEqual({ cursor: 0, claim: 0 });
    expect(send().hashes).toHaveLength(36);
  });
});

test('a push of a scheduler just born, before its answer, does not make what it was not told count as told', () => {
  play([
    { kind: 'read', piece: 0 },
    { kind: 'push', piece: 0 },
    { kind: 'send', piece: 0 },
    { kind: 'arrive', piece: 0 },
    { kind: 'answer', piece: 0 },
    { kind: 'read', piece: 1 },
    { kind: 'drop', piece: 1 },
    { kind: 'send', piece: 0 },
    { kind: 'rebirth', piece: 0 },
    { kind: 'arrive', piece: 0 },
    { kind: 'push', piece: 0 },
    { kind: 'answer', piece: 0 },
  ]);
});

const piece = fc.nat({ max: 11 });
const happening = fc.oneof(
  { weight: 4, arbitrary: fc.record({ kind: fc.constant('store' as const), piece }) },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant('read' as const), piece }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('fail' as const), piece }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('drop' as const), piece }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('push' as const), piece }) },
  { weight: 4, arbitrary: fc.record({ kind: fc.constant('send' as const), piece }) },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant('arrive' as const), piece }) },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant('arriveLate' as const), piece }) },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant('answer' as const), piece }) },
);
const rebirth = { weight: 1, arbitrary: fc.record({ kind: fc.constant('rebirth' as const), piece }) };

type Step = { readonly kind: string; readonly piece: number };

/** Plays a story of lost, doubled and reordered messages, then lets a few syncs through. */
function play(steps: readonly Step[]) {
  const host = hostOf(12);
  const { sync, have } = host;
  let scheduler = new ModelScheduler(1, 12);
  const read = new Set<number>();
  const failed = new Set<number>();
  const heardFailures = new Set<number>();
  const sent: SyncRequest[] = [];
  let reply: Reply | undefined;
  const happens: Record<string, (piece: number) => void> = {
    store: host.store,
    read: (index) => {
      if (have.has(index)) return;
      host.store(index);
      sync.readFromOrigin(index, hashOf(index));
      read.add(index);
    },
    fail: (index) => {
      sync.failed(failureOf(index));
      failed.add(index);
    },
    drop: (index) => {
      if (have.delete(index)) sync.startOver();
    },
    push: () => sync.accept(scheduler.push()),
    // The answer to the one before was lost, or comes too late to be heard.
    send: () => {
      sent.push(host.send());
      reply = undefined;
    },
    arrive: () => {
      const last = sent.at(-1);
      if (last) reply = scheduler.take(last);
    },
    arriveLate: (index) => {
      const old = sent[index % Math.max(1, sent.length)];
      if (old) scheduler.take(old);
    },
    answer: () => {
      if (reply) hear(sync, reply);
      reply = undefined;
    },
    rebirth: () => {
      for (const index of scheduler.failures) heardFailures.add(index);
      scheduler = new ModelScheduler(scheduler.epoch + 1, 12);
    },
  };
  for (const step of steps) happens[step.kind]?.(step.piece);
  for (let round = 0; round < 4; round += 1) hear(sync, scheduler.take(host.send()));
  for (const index of scheduler.failures) heardFailures.add(index);
  expect([...scheduler.have].sort()).toEqual([...have.ones()].sort());
  expect([...read].filter((index) => !scheduler.hashes.has(index))).toEqual([]);
  expect([...failed].filter((index) => !heardFailures.has(index))).toEqual([]);
}

test('whatever is lost, doubled or reordered, the scheduler ends up knowing all', () => {
  fc.assert(
    fc.property(fc.array(happening, { maxLength: 60 }), (steps) => play(steps)),
    { numRuns: 500 },
  );
});

test('whatever is lost, doubled or reordered, a scheduler born meanwhile ends up knowing all', () => {
  fc.assert(
    fc.property(fc.array(fc.oneof(happening, rebirth), { maxLength: 60 }), (steps) => play(steps)),
    { numRuns: 1_000, seed: 7 },
  );
});
