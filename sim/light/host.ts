import type { Clock } from '../../core/clock.ts';
import { ShoalError } from '../../core/errors.ts';
import { type HostId, hostIdFrom } from '../../core/ids.ts';
import { LIMITS } from '../../core/limits.ts';
import type { FailureReason, LeaseSet } from '../../core/sync-messages.ts';
import type { SimRandom } from '../random.ts';
import { LightBook } from './book.ts';
import { Downlink, Uplink } from './link.ts';
import type { HostPlan, Scene } from './scene.ts';
import { aliveOf, GONE_MS, type LightScheduler } from './scheduler.ts';
import { type LightContent, LightTalk } from './talk.ts';
import type { Tally } from './tally.ts';
import type { LightRun, LightSource, LightTransfer } from './transfer.ts';

/** Round trips to the origin until its first byte. @see sim/origin.ts */
const PROBE_TRIPS = 4;
/** Chunks in which a piece goes over a link, no smaller than so many bytes. */
const CHUNKS = 4;
const CHUNK_BYTES = 64 * 1024;

/** What the hosts of a simulation have in common. */
export interface LightGround {
  readonly clock: Clock;
  readonly scene: Scene;
  readonly content: LightContent;
  readonly tally: Tally;
  readonly scheduler: LightScheduler;
  readonly origin: LightSource;
  readonly find: (hostId: string) => LightHost | undefined;
  readonly trace: (host: string, what: string) => void;
}

/** A host of the crowd without actors and without bytes: its links, what it holds, and what it says. */
export class LightHost implements LightSource {
  readonly plan: HostPlan;
  readonly hostId: HostId;
  readonly uplink: Uplink;
  /** When it had all, ms. */
  doneMs: number | undefined;
  isAlive = true;
  readonly #ground: LightGround;
  readonly #book: LightBook;
  readonly #talk: LightTalk;
  readonly #serving = new Set<LightTransfer>();
  readonly #incarnation: number;
  #isProbing = false;

  constructor(ground: LightGround, plan: HostPlan, random: SimRandom) {
    const { clock, scene, content, tally, scheduler, origin } = ground;
    this.#ground = ground;
    this.plan = plan;
    this.hostId = hostIdFrom(random.bytes(16));
    this.#incarnation = Math.floor(random.next() * 2 ** 48);
    this.uplink = new Uplink(clock, plan.upBytesPerSec);
    const pieces = content.hashes.length;
    this.#book = new LightBook({
      clock,
      tally,
      pieces,
      slots: scene.slotsDown,
      downlink: new Downlink(plan.downBytesPerSec),
      chunkBytes: Math.max(CHUNK_BYTES, Math.ceil(scene.pieceLength / CHUNKS)),
      pieceBytes: (piece) => Math.min(scene.pieceLength, scene.length - piece * scene.pieceLength),
      latencyMs: (from) => this.#latencyMs(from),
      isOrigin: (from) => from === origin,
      onStored: (piece, from, isOrigin) => this.#stored(piece, from, isOrigin),
      onEnd: (run, failure) => this.#ended(run, failure),
    });
    this.#talk = new LightTalk({
      clock,
      random,
      content,
      tally,
      book: this.#book,
      incarnation: this.#incarnation,
      send: (request, answer) => scheduler.sync(this.hostId, request, answer),
      onSet: (set) => this.#take(set),
    });
  }

  get name(): string {
    return this.hostId;
  }

  get lies(): boolean {
    return this.plan.lies;
  }

  /** For people. */
  get label(): string {
    return `host-${this.plan.index}`;
  }

  get held(): number {
    return this.#book.held;
  }

  #latencyMs(from: LightSource): number {
    const { scene } = this.#ground;
    return from instanceof LightHost && from.plan.zone !== this.plan.zone
      ? scene.farLatencyMs
      : scene.latencyMs;
  }

  /** It comes, and wants the content. */
  arrive(): void {
    const { scheduler, scene, clock } = this.#ground;
    const { slotsUp, slotsDown, zones } = scene;
    const { role, zone, index } = this.plan;
    const said = { incarnation: this.#incarnation, role, slotsUp, slotsDown };
    scheduler.hear(this.hostId, aliveOf(index, zones > 1 ? { ...said, zone: `zone-${zone}` } : said));
    this.#talk.startedMs = clock.now();
    this.#ground.trace(this.label, 'arrives');
    this.#talk.schedule('soon');
  }

  /** It ends for good: what it sends breaks off, and after a while it is missed. */
  die(): void {
    const { clock, scheduler, trace } = this.#ground;
    trace(this.label, `dies with ${this.#book.held} pieces`);
    this.isAlive = false;
    this.#talk.stop();
    this.#book.stop();
    for (const transfer of [...this.#serving]) transfer.end('unreachable');
    clock.after(GONE_MS, () => scheduler.lose(this.hostId));
  }

  enter(transfer: LightTransfer): FailureReason | undefined {
    if (this.#serving.size >= this.#ground.scene.slotsUp) return 'busy';
    const { first, count } = transfer.run;
    for (let piece = first; piece < first + count; piece += 1)
      if (this.#book.have[piece] === 0) return 'missing';
    this.#serving.add(transfer);
    return undefined;
  }

  leave(transfer: LightTransfer): void {
    this.#serving.delete(transfer);
  }

  /** A set was pushed to it. */
  push(set: LeaseSet): void {
    this.#talk.take(set);
  }

  #take(set: LeaseSet): boolean {
    const { origin, find } = this.#ground;
    if (set.probe === true) this.#probe();
    if (this.#book.isWhole) return false;
    this.#book.originAtOnce = set.originAtOnce;
    const runs: LightRun[] = [];
    for (const { first, count, parent, hedge = false } of set.leases) {
      const from = parent === 'origin' ? origin : find(parent);
      if (from !== undefined) runs.push({ first, count, from, hedge });
    }
    return this.#book.replace(runs);
  }

  /** The origin is asked for its first bytes, which are used. */
  #probe(): void {
    const { clock, scene, content, origin } = this.#ground;
    if (this.#isProbing || this.#talk.isCut) return;
    this.#isProbing = true;
    clock.after(PROBE_TRIPS * scene.latencyMs, () => {
      if (!this.isAlive) return;
      const count = Math.min(content.hashes.length, Math.ceil(LIMITS.resolveBytes / scene.pieceLength));
      this.#talk.probed();
      this.#book.begin({ first: 0, count, from: origin, hedge: false }, true);
    });
  }

  #stored(piece: number, from: LightSource, isOrigin: boolean): void {
    const { clock, content, scene, trace } = this.#ground;
    if (isOrigin) this.#book.known[piece] = 1;
    trace(this.label, `has piece ${piece} from ${from instanceof LightHost ? from.label : 'the origin'}`);
    this.#talk.stored(
      piece,
      Math.min(scene.pieceLength, content.length - piece * scene.pieceLength),
      isOrigin,
    );
    if (!this.#book.isWhole) return;
    this.doneMs = clock.now();
    trace(this.label, 'has all');
  }

  #ended(run: LightRun, reason: FailureReason | undefined): void {
    if (reason === undefined) {
      if (!this.#book.isWhole) this.#talk.schedule(this.#book.waitingCount === 0 ? 'soon' : 'later');
      return;
    }
    const { origin, trace } = this.#ground;
    const { first, from } = run;
    const name = from instanceof LightHost ? from.label : 'the origin';
    trace(this.label, `gets no piece ${first} from ${name}: ${reason}`);
    const error = new ShoalError(
      reason === 'busy' ? 'ERR_PEER_BUSY' : 'ERR_PEER_UNAVAILABLE',
      reason,
    ).toWire();
    const parent = from === origin || !(from instanceof LightHost) ? ('origin' as const) : from.hostId;
    // One piece that came wrong says nothing of those beside it.
    const count = reason === 'corrupt' ? 1 : run.count;
    this.#talk.failed({ first, count, parent, reason, error });
  }
}
