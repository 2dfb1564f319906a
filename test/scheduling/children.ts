import type { HostId } from '../../core/ids.ts';
import type { FailureReason, Lease } from '../../core/sync-messages.ts';
import { type Joined, Ledger, type Synced } from '../../scheduling/ledger.ts';
import { OriginReads } from '../../scheduling/origin-reads.ts';
import { SlotTable } from '../../scheduling/slots.ts';
import { hostId, seeded } from './world.ts';

/** A host of the test's own: what it really holds and really does, whatever the ledger thinks. */
export interface Child {
  readonly id: HostId;
  readonly joined: Joined;
  readonly have: Set<number>;
  running: Lease[];
  queued: Lease[];
  seen: number;
  failures: { lease: Lease; reason: FailureReason }[];
}

function* piecesIn(leases: readonly Lease[]): Generator<number> {
  for (const { first, count } of leases) for (let at = 0; at < count; at += 1) yield first + at;
}

/** Failures of a parent that can be got at. */
const IN_REACH: ReadonlySet<FailureReason> = new Set(['busy', 'missing', 'store', 'corrupt']);

/** Hosts that behave, on a bus that does not; every grant is checked against the rules of the policy. */
export class Swarm {
  readonly slots = new SlotTable();
  readonly ledger: Ledger;
  readonly children = new Map<HostId, Child>();
  readonly pieces: number;
  nowMs = 1_000;
  #number = 0;
  /** What each host told the ledger that it holds. */
  readonly #told = new Map<HostId, Set<number>>();
  /** Who gave a wrong piece, and until when nobody is sent there; who does so again after that is sent nobody any more. */
  readonly #shunnedUntilMs = new Map<HostId, number>();
  /** Whom a child could not get at, as `child parent`; as `parent` alone where others are kept away as well. */
  readonly #outOfReach = new Set<string>();
  readonly #upLimit: number;
  readonly #readers: boolean;

  constructor(options: { pieces: number; upLimit: number; seed: number; readers: boolean }) {
    this.pieces = options.pieces;
    this.#upLimit = options.upLimit;
    this.#readers = options.readers;
    this.ledger = new Ledger({
      random: seeded(options.seed),
      slots: this.slots,
      reads: new OriginReads().task(() => undefined),
      geometry: { length: options.pieces * 10 - 3, pieceLength: 10 },
      ranges: true,
    });
  }

  join(index: number, complete = false): Child {
    const id = hostId(index);
    const known = this.children.get(id);
    if (known !== undefined) return known;
    const have = new Set(complete ? Array.from({ length: this.pieces }, (_, piece) => piece) : []);
    this.slots.setLimits(id, { up: this.#upLimit, down: 4 });
    const joined = this.ledger.join(id, {
      role: index % 5 === 0 ? 'seed' : 'normal',
      zone: index % 2 === 0 ? 'even' : undefined,
      mayReadOrigin: this.#readers || index === 0,
    });
    const child: Child = { id, joined, have, running: [], queued: [], seen: 0, failures: [] };
    this.children.set(id, child);
    this.#told.set(id, new Set());
    return child;
  }

  leave(child: Child): void {
    this.ledger.leave(child.id);
    this.children.delete(child.id);
    this.#told.delete(child.id);
    this.#shunnedUntilMs.delete(child.id);
  }

  /** The first lease in hand comes to an end. */
  finish(child: Child, reason?: FailureReason): void {
    this.#fill(child);
    const lease = child.running.shift();
    if (lease === undefined) return;
    if (reason !== undefined) child.failures.push({ lease, reason });
    else for (const piece of piecesIn([lease])) child.have.add(piece);
    this.#fill(child);
  }

  evict(child: Child, piece: number): void {
    child.have.delete(piece);
    this.#told.get(child.id)?.delete(piece);
    this.ledger.remove(child.id, [piece]);
  }

  /** One sync; where it is lost the ledger never sees it, where the reply is lost the child never does. */
  sync(
    child: Child,
    fate: 'whole' | 'lost' | 'reply-lost' | 'doubled',
    bytesPerSec = 0,
    urgent?: number,
  ): void {
    this.nowMs += 10;
    if (fate === 'lost') return;
    const failures = child.failures.splice(0);
    const standing = {
      running: [...piecesIn(child.running)],
      queued: [...piecesIn(child.queued)],
      seenNumber: child.seen,
      nowMs: this.nowMs,
    };
    const slots = Math.max(0, 6 - child.running.length - child.queued.length);
    for (let time = 0; time < (fate === 'doubled' ? 2 : 1); time += 1) {
      this.#told.set(child.id, new Set(child.have));
      const told = time === 0 ? failures : [];
      for (const { lease, reason } of told) this.#failed(child, lease, reason);
      const synced = child.joined.sync({
        ...standing,
        added: child.have,
        failures: told.map(({ lease, reason }) => ({ ...lease, reason })),
      });
      this.#number += 1;
      this.#grant(child, synced, { slots, bytesPerSec, urgent });
    }
    if (fate === 'reply-lost') return;
    child.seen = this.#number;
    this.take(child);
  }

  /** The child takes the whole set over: what it runs goes on, what it queued and is not in the set is dropped. */
  take(child: Child): void {
    const busy = new Set(piecesIn(child.running));
    child.queued = this.ledger
      .leasesOf(child.id)
      .flatMap(({ first, count, parent }) =>
        Array.from({ length: count }, (_, at): Lease => ({ first: first + at, count: 1, parent })),
      )
      .filter(({ first }) => !busy.has(first) && !child.have.has(first));
    this.#fill(child);
  }

  #fill(child: Child): void {
    while (child.running.length < 4) {
      const next = child.queued.shift();
      if (next === undefined) return;
      child.running.push(next);
    }
  }

  #failed(child: Child, { first, count, parent }: Lease, reason: FailureReason): void {
    if (parent === 'origin') return;
    if (reason === 'corrupt') {
      const untilMs = this.#shunnedUntilMs.get(parent);
      const isLeased = this.ledger
        .leasesOf(child.id)
        .some(
          (lease) => lease.parent === parent && lease.first <= first && first < lease.first + lease.count,
        );
      if (untilMs === undefined) this.#shunnedUntilMs.set(parent, this.nowMs + 2_000);
      else if (isLeased && untilMs <= this.nowMs) this.#shunnedUntilMs.set(parent, Number.POSITIVE_INFINITY);
    }
    if (reason === 'missing' || reason === 'corrupt') {
      for (let at = 0; at < count; at += 1) this.#told.get(parent)?.delete(first + at);
    }
    if (IN_REACH.has(reason)) return;
    this.#outOfReach.add(`${child.id} ${parent}`);
    if (reason === 'unreachable' || reason === 'stalled') this.#outOfReach.add(parent);
  }

  #isShunned(host: HostId): boolean {
    return (this.#shunnedUntilMs.get(host) ?? 0) > this.nowMs;
  }

  #grant(
    child: Child,
    synced: Synced,
    { slots, bytesPerSec, urgent }: { slots: number; bytesPerSec: number; urgent: number | undefined },
  ): void {
    const { ledger } = this;
    const key = ({ first, count, parent }: Lease) => `${first}+${count}@${parent}`;
    const before = new Set(ledger.leasesOf(child.id).map(key));
    const fromOrigin = this.#originPieces();
    const all = synced.grant({ nowMs: this.nowMs, slots, bytesPerSec, urgent, setNumber: this.#number });
    const fresh = all.filter((lease) => !before.has(key(lease)));
    if (fresh.length > slots) throw new Error('more leases than the child can take');
    for (const lease of fresh) {
      for (const piece of piecesIn([lease])) this.#checkGranted(child, lease, piece, fromOrigin);
    }
    if (fresh.some(({ parent }) => parent === 'origin')) {
      const reads = ledger.leasesOf(child.id).filter(({ parent }) => parent === 'origin').length;
      if (bytesPerSec === 0 && reads > ledger.originParallel(child.id, this.nowMs) + 1) {
        throw new Error(`${reads} leases of the origin for one reader`);
      }
    }
  }

  #checkGranted(child: Child, lease: Lease, piece: number, fromOrigin: ReadonlySet<number>): void {
    if (piece >= this.pieces) throw new Error('a piece that does not exist');
    if (this.#told.get(child.id)?.has(piece)) throw new Error('a piece that the child holds');
    if (lease.parent !== 'origin') {
      if (!this.#told.get(lease.parent)?.has(piece)) throw new Error('a parent that does not hold the piece');
      if (this.#isShunned(lease.parent)) throw new Error('a parent that gave a wrong piece');
      return;
    }
    if (fromOrigin.has(piece)) throw new Error('a piece twice on its way from the origin');
    for (const [id, told] of this.#told) {
      const isOutOfReach = this.#outOfReach.has(id) || this.#outOfReach.has(`${child.id} ${id}`);
      if (told.has(piece) && !this.#isShunned(id) && !isOutOfReach)
        throw new Error('the origin read while a copy lives');
    }
  }

  #originPieces(): Set<number> {
    const pieces = new Set<number>();
    for (const id of this.children.keys()) {
      const leases = this.ledger.leasesOf(id).filter(({ parent }) => parent === 'origin');
      for (const piece of piecesIn(leases)) pieces.add(piece);
    }
    return pieces;
  }

  /** What must hold at all times. */
  check(): void {
    for (const { id } of this.children.values()) {
      if (this.slots.upUsed(id) > this.#upLimit) throw new Error('a parent over its slots');
      if (this.slots.upUsed(id) < 0 || this.slots.downUsed(id) < 0) throw new Error('slots below zero');
      const first = new Map<number, Lease>();
      for (const lease of this.ledger.leasesOf(id)) {
        for (const piece of piecesIn([lease])) {
          const other = first.get(piece);
          if (other !== undefined) {
            const one = lease.hedge === true ? lease : other.hedge === true ? other : undefined;
            if (one === undefined) throw new Error('a piece twice in flight to one child');
            if (other.parent === lease.parent) throw new Error('a hedge from the same parent');
          }
          first.set(piece, lease);
        }
      }
    }
  }

  /** Everything works from now on: all hosts must complete. */
  settle(): void {
    for (let round = 0; round < 40 * this.pieces + 4_000; round += 1) {
      const open = [...this.children.values()].filter(({ id }) => !this.ledger.complete(id));
      if (open.length === 0) return;
      this.nowMs += 500;
      const gone = this.ledger.expire(this.nowMs);
      for (const id of gone) {
        const child = this.children.get(id);
        if (child !== undefined) this.take(child);
      }
      for (const child of open) {
        this.sync(child, 'whole');
        this.check();
        while (child.running.length > 0) this.finish(child);
        this.sync(child, 'whole');
      }
    }
    throw new Error('no progress');
  }
}
