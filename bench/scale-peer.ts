import { setTimeout as delay } from 'node:timers/promises';
import { Patience } from '../actors/host/peer/patience.ts';
import { realClock, realRandom } from '../app/real-world.ts';
import { packHashes, unpackHashes } from '../core/hash-page.ts';
import { LIMITS } from '../core/limits.ts';
import type { Lease, LeaseSet, SyncReply, SyncRequest } from '../core/sync-messages.ts';
import { SUBJECTS } from '../transport/subjects.ts';
import type { SharedBus } from './scale-bus.ts';
import { type Content, Link, moved } from './scale-content.ts';
import type { LightHost } from './scale-host.ts';

interface Plan {
  readonly piece: number;
  readonly parent: Lease['parent'];
}

/** A light host's part in the task of a flash crowd: what it says and when is as shipped; no byte is moved. */
export class LightPeer {
  readonly #bus: SharedBus;
  readonly #host: LightHost;
  readonly #content: Content;
  readonly #up: Link;
  readonly #down: Link;
  readonly #have: Uint8Array;
  readonly #known: Uint8Array;
  readonly #flying: Uint8Array;
  #count = 0;
  #queue: Plan[] = [];
  #running = 0;
  #added: number[] = [];
  #read: number[] = [];
  #readTold = 0;
  #base = 0;
  #seq = 0;
  #seen = { epoch: 0, number: 0 };
  #hashCursor = 0;
  #originAtOnce = 1;
  #originRunning = 0;
  #tellsProbed = false;
  #sourcesTold = false;
  readonly #patience = new Patience(realClock, realRandom);
  #fruitful = true;
  #received = { origin: 0, peers: 0, local: 0 };
  #wake: (() => void) | undefined;
  #soon = false;
  #adrift = false;
  #ratePerMs = 0;
  /** From the wish to the last piece, ms. */
  tookMs: number | undefined;

  constructor(bus: SharedBus, host: LightHost, content: Content, linkBytesPerSec: number) {
    this.#bus = bus;
    this.#host = host;
    this.#content = content;
    this.#up = new Link(linkBytesPerSec);
    this.#down = new Link(linkBytesPerSec);
    this.#have = new Uint8Array(content.pieces);
    this.#known = new Uint8Array(content.pieces);
    this.#flying = new Uint8Array(content.pieces);
    content.addUplink(host.hostId, this.#up);
  }

  get #wants(): boolean {
    return this.#count < this.#content.pieces;
  }

  /** Fetches all, and tells it. */
  async run(): Promise<void> {
    const begunMs = performance.now();
    while (this.#wants || this.#added.length > 0 || this.#readTold < this.#read.length) {
      this.#soon = false;
      const sentMs = performance.now();
      const isTold = await this.#sync();
      const dueMs = () => sentMs + (this.#soon ? this.#patience.intervalMs / 2 : this.#gapMs());
      while ((this.#wants || !isTold) && performance.now() < dueMs())
        await this.#rest(dueMs() - performance.now());
      if (!this.#wants) this.tookMs ??= performance.now() - begunMs;
    }
  }

  #lost(error: unknown): void {
    const wire = (error as { wire?: { code?: string; details?: { waitMs?: number } } }).wire;
    if (wire?.code === 'ERR_SCHED_BUSY' && wire.details?.waitMs !== undefined) {
      this.#content.waits += 1;
      this.#patience.told(wire.details.waitMs);
      return;
    }
    this.#content.unanswered += 1;
    const code = wire?.code ?? (error as Error).message;
    this.#content.refusals.set(code, (this.#content.refusals.get(code) ?? 0) + 1);
    this.#patience.lost();
    if (this.#patience.isOver && !this.#adrift) this.#content.adrift += 1;
    this.#adrift ||= this.#patience.isOver;
  }

  /** As `needs.ts` and `sync.ts` have it. */
  #gapMs(): number {
    const news = this.#added.length > 0 || this.#readTold < this.#read.length;
    const { intervalMs } = this.#patience;
    if (this.#queue.length > 0) return intervalMs;
    if (this.#fruitful && this.#running < LIMITS.slotsDown) return intervalMs / 2;
    if (news || this.#running > 0) return intervalMs;
    return Math.max(intervalMs, LIMITS.syncQuietMs);
  }

  /** Until so much later, or until something is to be told soon. */
  async #rest(ms: number): Promise<void> {
    const cut = new AbortController();
    this.#wake = () => cut.abort();
    await delay(Math.max(0, ms), undefined, { signal: cut.signal }).catch(() => undefined);
    this.#wake = undefined;
  }

  /** Whether what it said was taken. */
  async #sync(): Promise<boolean> {
    const { taskId, partition } = this.#content;
    const { hostId } = this.#host;
    const added = this.#added.length;
    const read = this.#read.length;
    const probed = this.#tellsProbed;
    this.#content.syncs += 1;
    const sentMs = performance.now();
    const patienceMs = this.#patience.timeoutMs;
    const tokens = { partition, taskId, hostId };
    try {
      const asked = this.#bus.request(
        hostId,
        SUBJECTS.sync,
        tokens,
        { ...this.#request(), patienceMs },
        patienceMs,
      );
      const reply = (await asked) as SyncReply;
      this.#content.answerMs.push(performance.now() - sentMs);
      if (reply.status === 'full') {
        this.#base = 0;
        this.#added = [];
        this.#soon = true;
        this.#patience.answered();
        return true;
      }
      this.#patience.answered(reply.intervalMs);
      this.#adrift = false;
      this.#base = reply.seq;
      this.#sourcesTold = true;
      this.#added.splice(0, added);
      if (reply.epoch === this.#seen.epoch || this.#seen.epoch === 0) this.#readTold = read;
      if (probed) this.#tellsProbed = false;
      this.take(reply);
      return true;
    } catch (error) {
      this.#lost(error);
      return false;
    }
  }

  #request(): SyncRequest {
    const { length, pieceLength, source, probed, hashes } = this.#content;
    this.#seq += 1;
    const full = this.#base === 0;
    const read = this.#read
      .slice(this.#readTold)
      .map((piece) => ({ piece, hash: hashes[piece] ?? new Uint8Array(32) }));
    const flying: number[] = [];
    for (let piece = 0; piece < this.#flying.length; piece += 1)
      if (this.#flying[piece] === 1) flying.push(piece);
    return {
      incarnation: this.#host.incarnation,
      seq: this.#seq,
      base: this.#base,
      have: full ? this.#bits() : undefined,
      added: full ? [] : [...this.#added],
      length: this.#count > 0 || this.#tellsProbed ? length : undefined,
      pieceLength: this.#count > 0 || this.#tellsProbed ? pieceLength : undefined,
      ...(this.#count > 0 ? { audience: 'public' as const } : {}),
      running: flying,
      queued: this.#queue.map(({ piece }) => piece),
      freeSlots: Math.max(0, LIMITS.slotsDown - this.#running - this.#queue.length),
      transferBytesPerSec: this.#ratePerMs * 1000,
      wants: this.#wants,
      sources: this.#sourcesTold ? [] : [source],
      mayReadOrigin: true,
      probed: this.#tellsProbed ? probed : undefined,
      failures: [],
      hashes: read.length > 0 ? packHashes(read) : undefined,
      adrift: this.#adrift,
      hashCursor: this.#hashCursor,
      seen: this.#seen,
      received: this.#received,
    };
  }

  #bits(): Uint8Array {
    const bits = new Uint8Array(Math.ceil(this.#have.length / 8));
    this.#have.forEach((is, piece) => {
      if (is === 1) bits[piece >> 3] = (bits[piece >> 3] ?? 0) | (0x80 >> (piece & 7));
    });
    return bits;
  }

  /** Takes a set that is newer than the last. */
  take(set: LeaseSet): void {
    const seen = this.#seen;
    if (set.epoch < seen.epoch || (set.epoch === seen.epoch && set.number <= seen.number)) return;
    if (set.epoch > seen.epoch) {
      this.#hashCursor = 0;
      this.#readTold = 0;
    }
    this.#seen = { epoch: set.epoch, number: set.number };
    const page = set.hashes === undefined ? [] : (unpackHashes(set.hashes) ?? []);
    if (set.hashFrom <= this.#hashCursor) {
      for (const { piece } of page) this.#known[piece] = 1;
      this.#hashCursor = Math.max(this.#hashCursor, set.hashFrom + page.length);
    }
    if (set.probe === true && this.#count === 0 && !this.#tellsProbed) void this.#probe();
    this.#originAtOnce = set.originAtOnce;
    const before = new Set(this.#queue.map(({ piece }) => piece));
    this.#queue = [];
    for (const { first, count, parent, hedge } of set.leases) {
      if (hedge === true) continue;
      for (let piece = first; piece < Math.min(first + count, this.#content.pieces); piece += 1)
        if (this.#have[piece] === 0 && this.#flying[piece] === 0) this.#queue.push({ piece, parent });
    }
    this.#fruitful = this.#queue.some(({ piece }) => !before.has(piece));
    this.#pump();
  }

  /** The origin's first answer, and the first piece with it. */
  async #probe(): Promise<void> {
    this.#tellsProbed = true;
    await delay(4);
    void this.#start({ piece: 0, parent: 'origin' });
    this.#hasten();
  }

  #pump(): void {
    const waiting: Plan[] = [];
    for (const plan of this.#queue) {
      const isOrigin = plan.parent === 'origin';
      const isReady = isOrigin ? this.#originRunning < this.#originAtOnce : this.#known[plan.piece] === 1;
      if (this.#have[plan.piece] === 1 || this.#flying[plan.piece] === 1) continue;
      if (isReady && this.#running < LIMITS.slotsDown) void this.#start(plan);
      else waiting.push(plan);
    }
    this.#queue = waiting;
  }

  async #start({ piece, parent }: Plan): Promise<void> {
    const from = this.#content.uplinkOf(parent);
    if (from === undefined || this.#flying[piece] === 1 || this.#have[piece] === 1) return;
    const bytes = this.#content.sizeOf(piece);
    const begunMs = performance.now();
    this.#flying[piece] = 1;
    this.#running += 1;
    this.#host.downloading = this.#running;
    if (parent === 'origin') this.#originRunning += 1;
    await moved(from, this.#down, bytes);
    this.#running -= 1;
    this.#host.downloading = this.#running;
    if (parent === 'origin') this.#originRunning -= 1;
    this.#flying[piece] = 0;
    this.#stored(piece, parent, bytes);
    this.#ratePerMs = 0.8 * this.#ratePerMs + 0.2 * (bytes / Math.max(1, performance.now() - begunMs));
    this.#pump();
    if (this.#queue.length === 0 || !this.#wants) this.#hasten();
  }

  #stored(piece: number, parent: Plan['parent'], bytes: number): void {
    this.#have[piece] = 1;
    this.#count += 1;
    this.#added.push(piece);
    this.#content.delivered += 1;
    if (parent === 'origin') {
      this.#content.fromOrigin += 1;
      this.#read.push(piece);
      this.#known[piece] = 1;
    }
    this.#received = {
      origin: this.#received.origin + (parent === 'origin' ? bytes : 0),
      peers: this.#received.peers + (parent === 'origin' ? 0 : bytes),
      local: 0,
    };
    if (!this.#wants) this.#content.done += 1;
  }

  /** The next sync comes in half an interval, or at once where all is there. */
  #hasten(): void {
    this.#soon = true;
    this.#wake?.();
  }
}
