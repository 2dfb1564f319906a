import type { SlotPool } from '../slot-pool.ts';
import type { PeerChart } from './chart.ts';
import type { PeerContent } from './content.ts';
import type { LeaseSets } from './lease-sets.ts';
import type { PeerOrigin } from './origin.ts';
import type { PeerStats } from './stats.ts';
import type { SyncWhen } from './sync-pace.ts';
import type { SyncFacts, SyncState } from './sync-state.ts';
import type { PeerTransfers } from './transfers.ts';

/** Pieces of one kind told in a sync at most. */
const TOLD_AT_ONCE = 16_384;

/** So many pieces that nobody had before are told sooner than the rest: the others wait for them. */
const FIRST_PIECES = 8;

interface PeerNeedsOptions {
  readonly content: PeerContent;
  readonly pool: SlotPool;
  readonly stats: PeerStats;
  readonly sync: SyncState;
  readonly origin: PeerOrigin;
  readonly transfers: PeerTransfers;
  readonly sets: LeaseSets;
  readonly chart: PeerChart;
}

/** What one peer needs of its scheduler: what its next sync says, and when that is due. */
export class PeerNeeds {
  readonly #options: PeerNeedsOptions;
  /** Offset of the byte that a reader waits for. */
  #starvingAt: number | undefined;

  constructor(options: PeerNeedsOptions) {
    this.#options = options;
  }

  /** A reader needs the byte at this offset next; returns whether that is news. */
  starve(offset: number): boolean {
    const isNews = this.#starvingAt !== offset;
    this.#starvingAt = offset;
    return isNews;
  }

  /** The piece that a reader needs next, where it is not on its way. */
  get urgent(): number | undefined {
    const { content, transfers } = this.#options;
    const { pieceLength } = content;
    if (this.#starvingAt === undefined || pieceLength === undefined) return undefined;
    const piece = Math.floor(this.#starvingAt / pieceLength);
    return content.has(piece) || transfers.book.isInFlight(piece) ? undefined : piece;
  }

  /** Whether it still wants pieces. */
  get wants(): boolean {
    const { state } = this.#options.chart;
    return state === 'joining' || state === 'transferring' || state === 'adrift';
  }

  /** What the next sync says; the one after it comes in about `intervalMs`. */
  facts(intervalMs: number): SyncFacts {
    const { transfers, stats, origin, sets, chart } = this.#options;
    const { book } = transfers;
    return {
      running: book.runningPieces().slice(0, TOLD_AT_ONCE),
      queued: book.queuedPieces().slice(0, TOLD_AT_ONCE),
      freeSlots: transfers.freeSlots(intervalMs),
      transferBytesPerSec: stats.transferBytesPerSec,
      urgent: this.urgent,
      wants: this.wants,
      mayReadOrigin: origin.readsForAll,
      adrift: chart.state === 'adrift',
      contradicted: chart.contradicted,
      received: stats.received(),
      originReasons: stats.originReasons,
      fencedBy: sets.fencedBy,
    };
  }

  /** Whether all that is missing is on its way, so that no sync brings more. */
  get #isAllComing(): boolean {
    const { content, transfers } = this.#options;
    const { pieces, stored } = content;
    if (pieces === undefined || stored === undefined) return false;
    return stored.have.count + transfers.book.runningPieces().length >= pieces;
  }

  /** When a piece that has just come is to be told. */
  afterPiece(): SyncWhen {
    const { content, stats } = this.#options;
    const isFirst = stats.received().peers === 0 && (content.stored?.have.count ?? 0) <= FIRST_PIECES;
    return isFirst ? 'news' : 'later';
  }

  /** Whether there is to be another sync, and when. */
  next(): SyncWhen | 'none' {
    const { transfers, sync, sets, pool, chart } = this.#options;
    const { state, ended } = chart;
    if (ended || (state === 'serving' && !sync.hasNews)) return 'none';
    const { queuedCount, runningCount } = transfers.book;
    if (state !== 'transferring' || queuedCount > 0) return 'later';
    const { hasNews } = sync;
    if (sets.isFruitful && pool.free > 0 && (hasNews || !this.#isAllComing)) return 'soon';
    if (hasNews) return 'later';
    // While something runs it may be late, and the scheduler is to see that.
    return runningCount > 0 ? 'rest' : 'quiet';
  }
}
