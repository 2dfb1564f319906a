import type { Clock } from '../../../core/clock.ts';
import type { Delivery } from '../../../core/delivery.ts';
import type { ShoalError } from '../../../core/errors.ts';
import type { OriginReadReason } from '../../../core/origin-reasons.ts';
import type { Run } from '../../../core/run.ts';
import { SourceTallies } from '../../../core/source-tallies.ts';
import { type FailureReason, parentName } from '../../../core/sync-messages.ts';
import { type Doing, type Spent, Stopwatch, timeSpent, totalMs } from '../../../core/time-spent.ts';
import type { PeerContent } from './content.ts';
import { type Received, ReceivedCount } from './received.ts';
import type { PeerShare } from './share.ts';

/** How fast a measured rate follows: the weight of the newest transfer. */
const SMOOTHING = 0.2;

/** What a download received, from where, how fast, and what its time went to: a few additions a piece. */
export class PeerStats {
  readonly #count = new ReceivedCount();
  readonly originReasons: Partial<Record<OriginReadReason, number>> = {};
  /** Measured rate of one transfer, bytes a second; 0 while unknown. */
  transferBytesPerSec = 0;
  longestGapMs = 0;
  /** Bytes that came over the network, verified or not. */
  cameBytes = 0;
  readonly startedMs: number;
  readonly #clock: Clock;
  readonly #share: Pick<PeerShare, 'received' | 'link' | 'load'>;
  readonly #sources = new SourceTallies();
  readonly #watch: Stopwatch;
  /** Transfers that run, and whether each is from the origin. */
  readonly #running = new Map<object, boolean>();
  #fromOrigin = 0;
  #isTail = false;
  /** What this host does itself, while nothing else can be done. */
  #own: 'cpu' | 'disk' | undefined = 'disk';
  #lastByteMs: number;
  #ended = 0;
  #outcome: Delivery['outcome'] = 'running';
  readonly #begunMs: number;

  constructor(clock: Clock, share: Pick<PeerShare, 'received' | 'link' | 'load'>) {
    this.#clock = clock;
    this.#share = share;
    this.#begunMs = clock.wall();
    this.startedMs = clock.now();
    this.#lastByteMs = this.startedMs;
    this.#watch = new Stopwatch(this.startedMs, 'disk');
  }

  /** Called with every chunk: it must cost next to nothing. */
  bytesCame(bytes: number): void {
    this.cameBytes += bytes;
    this.#share.received.cameBytes += bytes;
    const now = this.#clock.now();
    this.longestGapMs = Math.max(this.longestGapMs, now - this.#lastByteMs);
    this.#lastByteMs = now;
  }

  /** @param isTail whether it is one of the last that were missing */
  pieceCame(bytes: number, from: Run['from'], isTail: boolean): void {
    this.#add(bytes, from === 'origin' ? 'origin' : 'peers');
    this.#sources.came(parentName(from), bytes);
    this.#watch.came(bytes);
    this.#share.link.look(this.#lastByteMs, this.#share.received.cameBytes);
    if (isTail === this.#isTail) return;
    this.#isTail = isTail;
    this.#turn();
  }

  /** So many bytes were here before; what is missing is fetched from now on. */
  found(bytes: number): void {
    this.#add(bytes, 'local');
    this.busy(undefined);
  }

  #add(bytes: number, from: keyof Received): void {
    this.#count.add(bytes, from);
    this.#share.received.add(bytes, from);
  }

  originRead(bytes: number, reason: OriginReadReason): void {
    this.originReasons[reason] = (this.originReasons[reason] ?? 0) + bytes;
  }

  /** This host does something itself that all waits for; undefined: no more. */
  busy(own: 'cpu' | 'disk' | undefined): void {
    this.#own = own;
    this.#turn();
  }

  /** A transfer begins, of pieces or of the origin's first bytes. */
  transferBegan(transfer: object, from: Run['from']): void {
    if (this.#running.has(transfer)) return;
    const isOrigin = from === 'origin';
    this.#running.set(transfer, isOrigin);
    if (isOrigin) this.#fromOrigin += 1;
    this.#sources.began(parentName(from), this.#clock.now());
    this.#turn();
  }

  /** @param durationMs 0 where it brought no pieces, and says nothing of how fast they come */
  transferEnded(transfer: object, from: Run['from'], bytes: number, durationMs: number): void {
    const isOrigin = this.#running.get(transfer);
    if (isOrigin === undefined) return;
    this.#running.delete(transfer);
    if (isOrigin) this.#fromOrigin -= 1;
    this.#sources.ended(parentName(from), bytes, this.#clock.now());
    this.#turn();
    if (bytes === 0 && durationMs === 0) return;
    this.#ended += 1;
    if (bytes === 0 || durationMs <= 0) return;
    const rate = (bytes * 1000) / durationMs;
    this.transferBytesPerSec =
      this.transferBytesPerSec === 0 ? rate : this.transferBytesPerSec * (1 - SMOOTHING) + rate * SMOOTHING;
  }

  transferFailed(from: Run['from'], reason: FailureReason): void {
    this.#sources.failed(parentName(from), reason);
  }

  /** Whether this host's own process held everything up of late. */
  isHeldUp(nowMs: number): boolean {
    return this.#share.load.heldBy(nowMs) !== undefined;
  }

  #turn(): void {
    if (this.hasEnded) return;
    const now = this.#clock.now();
    this.#watch.turn(this.#doing(), now, this.#share.load.heldBy(now));
  }

  #doing(): Doing {
    if (this.#own !== undefined) return this.#own;
    if (this.#isTail) return 'tail';
    if (this.#running.size > this.#fromOrigin) return 'hosts';
    return this.#fromOrigin > 0 ? 'origin' : 'waiting';
  }

  /** Transfers ended a second so far. */
  leasesPerSec(): number {
    const elapsedMs = this.#clock.now() - this.startedMs;
    return elapsedMs < 20 ? 0 : (this.#ended * 1000) / elapsedMs;
  }

  /** Hosts that gave a piece. */
  get parents(): number {
    return this.#sources.parents;
  }

  get hasEnded(): boolean {
    return this.#outcome !== 'running';
  }

  /** Why most of what the origin gave was read there; undefined where it gave nothing. */
  get mainReason(): OriginReadReason | undefined {
    const reasons = Object.entries(this.originReasons) as [OriginReadReason, number][];
    return reasons.sort(([, a], [, b]) => b - a)[0]?.[0];
  }

  /** The download is over; the first word on that counts, until it goes on. */
  finished(outcome: 'complete' | 'failed' | 'left'): void {
    if (this.hasEnded) return;
    this.#turn();
    this.#watch.stop(this.#clock.now());
    this.#outcome = outcome;
  }

  /** What was complete turned out not to be, and is fetched anew. */
  resumed(): void {
    if (!this.hasEnded) return;
    this.#outcome = 'running';
    this.#own = undefined;
    this.#turn();
  }

  received(): Received {
    return this.#count.now();
  }

  spent(): Spent {
    return this.#watch.spent(this.#clock.now());
  }

  get linkBytesPerSec(): number {
    return this.#share.link.bytesPerSec;
  }

  /** How the content came here, so far or in the end. */
  delivery(content: PeerContent, error?: ShoalError): Delivery {
    const { length, storedBytes } = content;
    const bytes = this.received();
    const spent = this.spent();
    return {
      outcome: this.#outcome,
      begunMs: Math.floor(this.#begunMs),
      atMs: Math.floor(this.#clock.wall()),
      length,
      bytes,
      droppedBytes: Math.max(0, bytes.origin + bytes.peers + bytes.local - storedBytes),
      originReasons: { ...this.originReasons },
      durationMs: totalMs(spent),
      time: timeSpent(spent, this.linkBytesPerSec),
      linkBytesPerSec: this.linkBytesPerSec,
      sources: this.#sources.rows(this.#clock.now()),
      ...(error && { error: { code: error.code, message: error.message.slice(0, 2000) } }),
    };
  }
}
