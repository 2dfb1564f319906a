import { Patience } from '../../actors/host/peer/patience.ts';
import type { Cancel, Clock } from '../../core/clock.ts';
import { packHashes } from '../../core/hash-page.ts';
import { LIMITS } from '../../core/limits.ts';
import type { Probed } from '../../core/probed.ts';
import type { LeaseSet, PieceFailure, SyncReply, SyncRequest } from '../../core/sync-messages.ts';
import type { SimRandom } from '../random.ts';
import type { LightBook } from './book.ts';
import type { Tally } from './tally.ts';

/** So many pieces that nobody had before are told sooner. @see actors/host/peer/needs.ts */
const FIRST_PIECES = 8;

/** What all hosts of a scene say of the content. */
export interface LightContent {
  readonly length: number;
  readonly pieceLength: number;
  readonly hashes: readonly Uint8Array[];
  readonly probed: Probed;
  readonly source: { readonly url: string; readonly credentials: boolean };
}

type When = 'now' | 'news' | 'soon' | 'later' | 'quiet';

interface LightTalkOptions {
  readonly clock: Clock;
  readonly random: SimRandom;
  readonly incarnation: number;
  readonly content: LightContent;
  readonly book: LightBook;
  readonly tally: Tally;
  readonly send: (request: SyncRequest, answer: (reply: SyncReply) => void) => void;
  /** A set came that is newer than all before; returns whether it brought a new lease. */
  readonly onSet: (set: LeaseSet) => boolean;
}

/** What a light host tells the scheduler, and when: as `needs.ts`, `sync.ts` and `sync-state.ts` of a real peer have it. */
export class LightTalk {
  readonly #options: LightTalkOptions;
  readonly #patience: Patience;
  readonly received = { origin: 0, peers: 0, local: 0 };
  #added: number[] = [];
  #failures: PieceFailure[] = [];
  readonly #read: number[] = [];
  #readTold = 0;
  #sourceTold = false;
  #probeOwed = false;
  #isCut = false;
  #seq = 0;
  #base = 0;
  #seen = { epoch: 0, number: 0 };
  #hashCursor = 0;
  #isFruitful = true;
  #isAsking = false;
  #soon = false;
  #now = false;
  #lastMs = Number.NEGATIVE_INFINITY;
  #dueMs = Number.POSITIVE_INFINITY;
  #timer: Cancel | undefined;
  #stopped = false;

  constructor(options: LightTalkOptions) {
    this.#options = options;
    this.#patience = new Patience(options.clock, options.random);
  }

  /** The origin's answer is here, and how the content is cut is known thereby. */
  probed(): void {
    this.#probeOwed = true;
    this.#isCut = true;
    this.schedule('soon');
  }

  /** Whether it is known how the content is cut. */
  get isCut(): boolean {
    return this.#isCut;
  }

  stored(piece: number, bytes: number, isOrigin: boolean): void {
    const { book } = this.#options;
    this.#added.push(piece);
    if (isOrigin) this.#read.push(piece);
    this.received[isOrigin ? 'origin' : 'peers'] += bytes;
    this.schedule(this.received.peers === 0 && book.held <= FIRST_PIECES ? 'news' : 'later');
    if (book.isWhole) this.schedule('now');
  }

  failed(failure: PieceFailure): void {
    this.#failures.push(failure);
    this.schedule('soon');
  }

  get #hasNews(): boolean {
    return this.#added.length > 0 || this.#failures.length > 0 || this.#read.length > this.#readTold;
  }

  #next(): When | 'none' {
    const { book, content } = this.#options;
    const news = this.#hasNews;
    if (book.isWhole) return news ? 'later' : 'none';
    if (!this.#isCut || book.waitingCount > 0) return 'later';
    const isAllComing = book.held + book.runningPieces().length >= content.hashes.length;
    if (this.#isFruitful && book.free > 0 && (news || !isAllComing)) return 'soon';
    return news || book.runningCount > 0 ? 'later' : 'quiet';
  }

  /** Has a sync sent at that time at the latest. */
  schedule(when: When): void {
    if (this.#stopped) return;
    const { clock } = this.#options;
    this.#soon ||= when === 'soon';
    this.#now ||= when === 'now';
    if (this.#isAsking) return;
    const dueMs = this.#now ? Number.NEGATIVE_INFINITY : this.#lastMs + this.#gapMs(when);
    if (dueMs >= this.#dueMs) return;
    this.#timer?.();
    this.#dueMs = dueMs;
    this.#timer = clock.after(Math.max(0, dueMs - clock.now()), () => this.#sync());
  }

  #gapMs(when: When): number {
    const { intervalMs } = this.#patience;
    if (this.#soon) return intervalMs / 2;
    return when === 'quiet' ? Math.max(intervalMs, LIMITS.syncQuietMs) : intervalMs;
  }

  #sync(): void {
    const { clock, send, tally } = this.#options;
    this.#isAsking = true;
    this.#soon = false;
    this.#now = false;
    this.#dueMs = Number.POSITIVE_INFINITY;
    this.#lastMs = clock.now();
    const request = this.#request();
    const told = { added: this.#added.length, failures: this.#failures.length, read: this.#read.length };
    const late = clock.after(request.patienceMs ?? LIMITS.syncTimeoutMs, () => {
      tally.unanswered += 1;
      this.#patience.lost();
      this.#asked();
    });
    send(request, (reply) => {
      if (this.#stopped || !this.#isAsking || request.seq !== this.#seq) return;
      late();
      if (reply.status === 'full') this.#startOver();
      else {
        this.#patience.answered(reply.intervalMs);
        this.#base = reply.seq;
        this.#sourceTold = true;
        this.#added.splice(0, told.added);
        this.#failures.splice(0, told.failures);
        this.#readTold = told.read;
        if (request.probed !== undefined) this.#probeOwed = false;
        this.take(reply);
      }
      this.#asked();
    });
  }

  #startOver(): void {
    this.#patience.answered();
    this.#base = 0;
    this.#added = [];
    this.#lastMs = Number.NEGATIVE_INFINITY;
  }

  #asked(): void {
    this.#isAsking = false;
    const when = this.#next();
    if (when !== 'none') this.schedule(when);
  }

  #request(): SyncRequest {
    const { book, content, clock, incarnation } = this.#options;
    const { length, pieceLength, hashes, probed, source } = content;
    const isFull = this.#base === 0;
    const read = this.#read.slice(this.#readTold);
    const packed = read.map((piece) => ({ piece, hash: hashes[piece] ?? new Uint8Array(32) }));
    this.#seq += 1;
    return {
      incarnation,
      seq: this.#seq,
      base: this.#base,
      have: isFull && this.#isCut ? bitsOf(book.have) : undefined,
      added: isFull ? [] : [...this.#added],
      length: this.#isCut ? length : undefined,
      pieceLength: this.#isCut ? pieceLength : undefined,
      ...(this.#isCut && { audience: 'public' as const }),
      running: book.runningPieces(),
      queued: book.queuedPieces(),
      freeSlots: this.#freeSlots(clock.now()),
      transferBytesPerSec: book.bytesPerSec,
      wants: !book.isWhole,
      sources: this.#sourceTold ? [] : [source],
      mayReadOrigin: true,
      probed: this.#probeOwed ? probed : undefined,
      failures: [...this.#failures],
      hashes: packed.length > 0 ? packHashes(packed) : undefined,
      adrift: false,
      hashCursor: this.#hashCursor,
      seen: this.#seen,
      received: { ...this.received },
      patienceMs: this.#patience.timeoutMs,
    };
  }

  /** The free slots, and what ends within two intervals. */
  #freeSlots(nowMs: number): number {
    const { book } = this.#options;
    const elapsedMs = nowMs - this.startedMs;
    const perMs = elapsedMs < 20 ? 0 : book.ended / elapsedMs;
    const ahead = Math.min(LIMITS.slotsDown, Math.ceil(perMs * 2 * this.#patience.intervalMs));
    return Math.max(0, book.free + ahead - book.waitingCount);
  }

  startedMs = 0;

  /** Takes a set that is newer than all before. */
  take(set: LeaseSet): void {
    const { book, content, onSet } = this.#options;
    if (this.#stopped || set.epoch !== (this.#seen.epoch || set.epoch) || set.number <= this.#seen.number)
      return;
    this.#seen = { epoch: set.epoch, number: set.number };
    if (set.pieceLength !== undefined) this.#isCut = true;
    if (set.hashes !== undefined && set.hashFrom <= this.#hashCursor) {
      const view = new DataView(set.hashes.buffer, set.hashes.byteOffset, set.hashes.byteLength);
      const count = set.hashes.byteLength / HASH_ENTRY_BYTES;
      for (let at = 0; at < count; at += 1) book.known[view.getUint32(at * HASH_ENTRY_BYTES)] = 1;
      this.#hashCursor = Math.max(this.#hashCursor, set.hashFrom + count);
      if (count === LIMITS.hashesPerPage) this.schedule('soon');
    }
    // Pieces to be read from the origin that are here already: their hashes are all that is missing.
    for (const { first, count, parent } of set.leases) {
      const end = parent === 'origin' ? Math.min(first + count, content.hashes.length) : first;
      for (let piece = first; piece < end; piece += 1) if (book.have[piece] === 1) this.#read.push(piece);
    }
    this.#isFruitful = onSet(set);
  }

  stop(): void {
    this.#stopped = true;
    this.#timer?.();
  }
}

/** @see core/hash-page.ts */
const HASH_ENTRY_BYTES = 36;

function bitsOf(have: Uint8Array): Uint8Array {
  const bits = new Uint8Array(Math.ceil(have.length / 8));
  have.forEach((is, piece) => {
    if (is === 1) bits[piece >> 3] = (bits[piece >> 3] ?? 0) | (0x80 >> (piece & 7));
  });
  return bits;
}
