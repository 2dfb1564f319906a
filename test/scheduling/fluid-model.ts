import type { Random } from '../../core/clock.ts';
import type { HostId } from '../../core/ids.ts';
import type { Parent } from '../../core/sync-messages.ts';
import { type Joined, Ledger } from '../../scheduling/ledger.ts';
import { OriginReads } from '../../scheduling/origin-reads.ts';
import { SlotTable } from '../../scheduling/slots.ts';
import { shareFairly } from './fair-share.ts';
import { hostId, seeded } from './world.ts';

/** Links that transfers share fairly, hosts that sync with a ledger, and an origin that is no host. */
export interface FluidOptions {
  readonly hosts: number;
  readonly pieces: number;
  readonly pieceBytes: number;
  readonly linkBytesPerSec: number;
  readonly seed: number;
  readonly slotsUp?: number;
  readonly slotsDown?: number;
  readonly intervalMs?: number;
  /** From a child's sync to the reply in its hands. */
  readonly controlMs?: number;
  /** From a request to its first byte. */
  readonly requestMs?: number;
  /** Spread of the first syncs. */
  readonly startMs?: number;
  /** Hosts that may read the origin; all unless given. */
  readonly readers?: number;
  readonly originReaders?: number;
  /** How uneven the shares of a link are: 0 is perfectly fair. */
  readonly unfair?: number;
  /** Whether children run every lease of the origin at once, instead of as many as the ledger says. */
  readonly runAllOrigin?: boolean;
  readonly slowHosts?: number;
  readonly slowShare?: number;
}

export interface FluidRun {
  /** Time of the last host over the time of one plain download. */
  readonly ratio: number;
  readonly medianRatio: number;
  readonly firstRatio: number;
  readonly copies: number;
  /** Share of the time to the origin's last byte in which its link was full. */
  readonly originDoneRatio: number;
  readonly syncs: number;
}

interface Transfer {
  readonly child: Host;
  readonly parent: Parent;
  readonly pieces: number[];
  leftBytes: number;
  rate: number;
  readonly weight: number;
  startsMs: number;
  readonly up: number;
  readonly down: number;
}

interface Host {
  readonly id: HostId;
  readonly index: number;
  running: Transfer[];
  queued: { first: number; count: number; parent: Parent }[];
  have: Set<number>;
  fresh: number[];
  seen: number;
  nextSyncMs: number;
  syncing: boolean;
  doneMs: number | undefined;
  joined: Joined | undefined;
  rate: number;
}

interface Event {
  readonly atMs: number;
  readonly run: () => void;
}

/** Runs one download of all hosts at once to its end, in virtual time. */
export function runFluid(options: FluidOptions): FluidRun {
  return new FluidWorld(options).run();
}

class FluidWorld {
  readonly #options: FluidOptions;
  readonly #random: Random;
  readonly #ledger: Ledger;
  readonly #hosts: Host[];
  readonly #capacity: Float64Array;
  #transfers: Transfer[] = [];
  #events: Event[] = [];
  #nowMs = 0;
  #dirty = false;
  #originBytes = 0;
  #originDoneMs = 0;
  #syncs = 0;
  #number = 0;

  constructor(options: FluidOptions) {
    this.#options = options;
    this.#random = seeded(options.seed);
    const slots = new SlotTable();
    this.#ledger = new Ledger({
      random: this.#random,
      slots,
      reads: new OriginReads().task(() => undefined),
      geometry: { length: options.pieces * options.pieceBytes, pieceLength: options.pieceBytes },
      ranges: true,
      originReaders: options.originReaders,
    });
    this.#capacity = new Float64Array(2 * options.hosts + 1).fill(options.linkBytesPerSec);
    this.#hosts = Array.from({ length: options.hosts }, (_, index) => {
      const id = hostId(index);
      slots.setLimits(id, { up: options.slotsUp ?? 12, down: this.#slotsDown });
      if (index < (options.slowHosts ?? 0)) {
        for (const link of [index, options.hosts + index]) {
          this.#capacity[link] = options.linkBytesPerSec * (options.slowShare ?? 1);
        }
      }
      return {
        id,
        index,
        running: [],
        queued: [],
        have: new Set<number>(),
        fresh: [],
        seen: 0,
        nextSyncMs: 0,
        syncing: false,
        doneMs: undefined,
        joined: undefined,
        rate: 0,
      };
    });
  }

  get #slotsDown(): number {
    return this.#options.slotsDown ?? 20;
  }

  get #intervalMs(): number {
    return this.#options.intervalMs ?? 50;
  }

  run(): FluidRun {
    for (const host of this.#hosts) {
      this.#at(this.#random.next() * (this.#options.startMs ?? 20), () => {
        const mayReadOrigin = host.index < (this.#options.readers ?? this.#options.hosts);
        host.joined = this.#ledger.join(host.id, { role: 'normal', mayReadOrigin });
        this.#tick(host);
      });
    }
    let guard = 0;
    while (this.#hosts.some(({ doneMs }) => doneMs === undefined)) {
      guard += 1;
      if (guard > 5_000_000) throw new Error('no progress');
      this.#step();
    }
    const plainMs = (1000 * this.#options.pieces * this.#options.pieceBytes) / this.#options.linkBytesPerSec;
    const times = this.#hosts.map(({ doneMs }) => doneMs ?? 0).sort((left, right) => left - right);
    return {
      ratio: (times.at(-1) ?? 0) / plainMs,
      medianRatio: (times[times.length >> 1] ?? 0) / plainMs,
      firstRatio: (times[0] ?? 0) / plainMs,
      copies: this.#originBytes / (this.#options.pieces * this.#options.pieceBytes),
      originDoneRatio: this.#originDoneMs / plainMs,
      syncs: this.#syncs,
    };
  }

  #at(delayMs: number, run: () => void): void {
    const event = { atMs: this.#nowMs + delayMs, run };
    let low = 0;
    let high = this.#events.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if ((this.#events[middle]?.atMs ?? 0) > event.atMs) low = middle + 1;
      else high = middle;
    }
    this.#events.splice(low, 0, event);
  }

  /** Moves time to the next event or the next end of a transfer. */
  #step(): void {
    if (this.#dirty) shareFairly(this.#transfers, this.#capacity, this.#nowMs);
    this.#dirty = false;
    let untilMs = this.#events.at(-1)?.atMs ?? Number.POSITIVE_INFINITY;
    for (const transfer of this.#transfers) {
      if (transfer.startsMs > this.#nowMs) untilMs = Math.min(untilMs, transfer.startsMs);
      else if (transfer.rate > 0) {
        untilMs = Math.min(untilMs, this.#nowMs + (1000 * transfer.leftBytes) / transfer.rate);
      }
    }
    if (untilMs === Number.POSITIVE_INFINITY) throw new Error('nothing happens any more');
    const passedMs = untilMs - this.#nowMs;
    this.#nowMs = untilMs;
    const ended: Transfer[] = [];
    for (const transfer of this.#transfers) {
      if (transfer.startsMs >= this.#nowMs) {
        if (transfer.startsMs === this.#nowMs) this.#dirty = true;
        continue;
      }
      transfer.leftBytes -= (transfer.rate * passedMs) / 1000;
      if (transfer.leftBytes < 1) ended.push(transfer);
    }
    for (const transfer of ended) this.#ended(transfer);
    while ((this.#events.at(-1)?.atMs ?? Number.POSITIVE_INFINITY) <= this.#nowMs) this.#events.pop()?.run();
  }

  #ended(transfer: Transfer): void {
    const host = transfer.child;
    this.#dirty = true;
    this.#transfers.splice(this.#transfers.indexOf(transfer), 1);
    host.running.splice(host.running.indexOf(transfer), 1);
    for (const piece of transfer.pieces) {
      if (host.have.has(piece)) continue;
      host.have.add(piece);
      host.fresh.push(piece);
    }
    const tookMs = this.#nowMs - transfer.startsMs;
    const rate = (1000 * transfer.pieces.length * this.#options.pieceBytes) / Math.max(1, tookMs);
    host.rate = host.rate === 0 ? rate : host.rate * 0.8 + rate * 0.2;
    if (transfer.parent === 'origin') {
      this.#originBytes += transfer.pieces.length * this.#options.pieceBytes;
      this.#originDoneMs = this.#nowMs;
    }
    if (host.have.size === this.#options.pieces) host.doneMs ??= this.#nowMs;
    this.#start(host);
    if (host.queued.length === 0) this.#sync(host);
  }

  #tick(host: Host): void {
    this.#sync(host);
    this.#at(this.#intervalMs, () => this.#tick(host));
  }

  #sync(host: Host): void {
    if (host.syncing || host.nextSyncMs > this.#nowMs) return;
    if (host.doneMs !== undefined && host.fresh.length === 0) return;
    host.syncing = true;
    this.#syncs += 1;
    const controlMs = this.#options.controlMs ?? 3;
    const fresh = host.fresh;
    host.fresh = [];
    const running = host.running.flatMap(({ pieces }) => pieces);
    const queued = host.queued.flatMap(({ first, count }) =>
      Array.from({ length: count }, (_, at) => first + at),
    );
    const seenNumber = host.seen;
    const perLease = this.#options.pieceBytes;
    const total = host.rate * host.running.length;
    const ahead = Math.ceil((2 * this.#intervalMs * total) / 1000 / perLease);
    const slots = this.#slotsDown + ahead - host.running.length - host.queued.length;
    this.#at(controlMs / 2, () => {
      const nowMs = this.#nowMs;
      if (host.joined === undefined) throw new Error('a sync before the first');
      const synced = host.joined.sync({ added: fresh, running, queued, seenNumber, nowMs });
      this.#number += 1;
      const setNumber = this.#number;
      const leases = synced.grant({ nowMs, slots, bytesPerSec: host.rate, setNumber });
      const originMost = this.#options.runAllOrigin ? 99 : this.#ledger.originParallel(host.id, nowMs);
      this.#ledger.expire(nowMs);
      this.#at(controlMs / 2, () => {
        host.syncing = false;
        host.seen = setNumber;
        const busy = new Set(host.running.flatMap(({ pieces }) => pieces));
        host.queued = leases
          .filter(({ first }) => !busy.has(first) && !host.have.has(first))
          .map(({ first, count, parent }) => ({ first, count, parent }));
        this.#start(host, originMost);
      });
    });
  }

  #start(host: Host, originMost = 1): void {
    const waiting: Host['queued'] = [];
    for (const lease of host.queued) {
      const reading = host.running.filter(({ parent }) => parent === 'origin').length;
      if (host.running.length >= this.#slotsDown || (lease.parent === 'origin' && reading >= originMost)) {
        waiting.push(lease);
        continue;
      }
      const unfair = this.#options.unfair ?? 0;
      const origin = 2 * this.#options.hosts;
      const transfer: Transfer = {
        child: host,
        parent: lease.parent,
        pieces: Array.from({ length: lease.count }, (_, at) => lease.first + at),
        leftBytes: lease.count * this.#options.pieceBytes,
        rate: 0,
        weight: Math.exp(unfair * (2 * this.#random.next() - 1)),
        startsMs: this.#nowMs + (this.#options.requestMs ?? 2),
        up: lease.parent === 'origin' ? origin : Number.parseInt(lease.parent, 16),
        down: this.#options.hosts + host.index,
      };
      host.running.push(transfer);
      this.#transfers.push(transfer);
    }
    host.queued = waiting;
  }
}
