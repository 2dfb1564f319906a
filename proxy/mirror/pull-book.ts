import type { Cancel, Clock } from '../../core/clock.ts';
import type { DownloadResult } from '../../core/download.ts';
import type { EventData } from '../../core/events.ts';
import type { HostId } from '../../core/ids.ts';
import { divided } from '../../core/time-spent.ts';

/** A pull that ended, as its event tells it. */
export type PullStory = EventData<'image.pulled'>;
/** How one content came. */
type Came = Pick<DownloadResult, 'bytes' | 'originReasons' | 'time'>;

interface PullBookOptions {
  readonly clock: Clock;
  readonly hostId: HostId;
  /** How long after its last activity a pull is over, ms. */
  readonly quietMs: number;
  readonly onPulled: (story: PullStory) => void;
}

/** Who pulls what: requests of one client for one repository are one pull. */
export interface PullKey {
  readonly client: string;
  readonly registry: string;
  readonly repository: string;
}

/** Pulls under way at once at most; beyond that the oldest is told as it is. */
const MOST_PULLS = 1_000;

/** Puts the requests of clients together to pulls, each told once it has been quiet for a while. */
export class PullBook {
  readonly #options: PullBookOptions;
  readonly #pulls = new Map<string, Pull>();

  constructor(options: PullBookOptions) {
    this.#options = options;
  }

  /** The pull that a request belongs to, begun where there is none. */
  open(key: PullKey): Pull {
    const name = JSON.stringify([key.client, key.registry, key.repository]);
    let pull = this.#pulls.get(name);
    if (pull === undefined) {
      const [oldest] = this.#pulls.size >= MOST_PULLS ? this.#pulls.values() : [];
      oldest?.close();
      pull = new Pull(key, this.#options, () => this.#pulls.delete(name));
      this.#pulls.set(name, pull);
    }
    return pull;
  }

  /** Tells of all that are under way, as they are. */
  close(): void {
    for (const pull of [...this.#pulls.values()]) pull.close();
  }
}

/** One pull: what was asked for, what came, and from where. */
export class Pull {
  readonly #key: PullKey;
  readonly #options: PullBookOptions;
  readonly #onEnd: () => void;
  readonly #startedMs: number;
  #lastMs: number;
  /** Time in which the client asked for nothing. */
  #idleMs = 0;
  #running = 0;
  #timer: Cancel | undefined;
  #reference: string | undefined;
  #digest: string | undefined;
  readonly #blobs = new Set<string>();
  readonly #came = new Map<string, Came>();
  readonly #warned = new Set<string>();
  #sentBytes = 0;
  #served = 0;
  /** What failed last, by what was asked for; what then came after all is no failure. */
  readonly #failures = new Map<string, { readonly code: string; readonly message: string }>();

  constructor(key: PullKey, options: PullBookOptions, onEnd: () => void) {
    this.#key = key;
    this.#options = options;
    this.#onEnd = onEnd;
    this.#startedMs = options.clock.now();
    this.#lastMs = this.#startedMs;
  }

  /** A request begins; call what it returns when it has ended. */
  begin(): () => void {
    if (this.#running === 0) this.#idleMs += this.#options.clock.now() - this.#lastMs;
    this.#running += 1;
    this.#timer?.();
    let ended = false;
    return () => {
      if (ended) return;
      ended = true;
      this.#running -= 1;
      this.#lastMs = this.#options.clock.now();
      this.#timer?.();
      if (this.#running === 0)
        this.#timer = this.#options.clock.after(this.#options.quietMs, () => this.close());
    };
  }

  /** A manifest was given; the first of a pull is what the image is called by. */
  manifest(reference: string, digest: string): void {
    this.#served += 1;
    this.#failures.delete(reference);
    this.#failures.delete(digest);
    this.#digest ??= digest;
    if (reference !== digest) this.#reference ??= reference;
  }

  blob(digest: string): void {
    this.#served += 1;
    this.#failures.delete(digest);
    this.#blobs.add(digest);
  }

  /** Where the bytes of one content came from; told again, the telling with the most fetched counts. */
  came(digest: string, { bytes, originReasons, time }: Came): void {
    const known = this.#came.get(digest)?.bytes;
    if (known !== undefined && known.origin + known.peers >= bytes.origin + bytes.peers) return;
    this.#came.set(digest, { bytes, originReasons, time });
  }

  /** Whether its client was not told this before. */
  isNews(kind: string): boolean {
    const { size } = this.#warned;
    return this.#warned.add(kind).size > size;
  }

  sent(bytes: number): void {
    this.#sentBytes += bytes;
  }

  failed(what: string, error: { readonly code: string; readonly message: string }): void {
    this.#failures.set(what, error);
  }

  /** The pull is over. */
  close(): void {
    this.#timer?.();
    this.#onEnd();
    const [failure] = [...this.#failures.values()].slice(-1);
    // A client that was refused all, or only asked whether something is there, has pulled nothing.
    if (this.#served === 0) return;
    const durationMs = Math.round(this.#lastMs - this.#startedMs);
    this.#options.onPulled({
      hostId: this.#options.hostId,
      ...this.#key,
      ...(this.#reference !== undefined && { reference: this.#reference }),
      ...(this.#digest !== undefined && { digest: this.#digest }),
      blobs: this.#blobs.size,
      sentBytes: this.#sentBytes,
      ...this.#sums(),
      durationMs,
      time: this.#time(durationMs),
      outcome: failure === undefined ? 'complete' : 'failed',
      ...(failure !== undefined && { error: failure }),
    });
  }

  #sums(): Pick<PullStory, 'bytes' | 'originReasons'> {
    const sum = { origin: 0, peers: 0, local: 0 };
    const reasons: Record<string, number> = {};
    for (const { bytes, originReasons } of this.#came.values()) {
      sum.origin += bytes.origin;
      sum.peers += bytes.peers;
      sum.local += bytes.local;
      for (const [reason, read] of Object.entries(originReasons)) {
        reasons[reason] = (reasons[reason] ?? 0) + read;
      }
    }
    return { bytes: sum, originReasons: reasons };
  }

  /** Contents come beside each other: the time of the pull is divided as theirs are. */
  #time(durationMs: number): PullStory['time'] {
    const idleMs = Math.min(durationMs, this.#idleMs);
    const times = [...this.#came.values()].map(({ time }) => time);
    const time = divided(times, durationMs - idleMs);
    return { ...time, client: time.client + idleMs };
  }
}
