import type { Cancel, Clock } from '../../core/clock.ts';
import type { EventData } from '../../core/events.ts';
import type { HostId } from '../../core/ids.ts';

/** A pull that ended, as its event tells it. */
export type PullStory = EventData<'image.pulled'>;
type BySource = PullStory['bytes'];

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
  #running = 0;
  #timer: Cancel | undefined;
  #reference: string | undefined;
  #digest: string | undefined;
  readonly #blobs = new Set<string>();
  readonly #bytes = new Map<string, BySource>();
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
  came(digest: string, bytes: BySource): void {
    const known = this.#bytes.get(digest);
    if (known !== undefined && known.origin + known.peers >= bytes.origin + bytes.peers) return;
    this.#bytes.set(digest, bytes);
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
    const bytes = { origin: 0, peers: 0, local: 0 };
    for (const { origin, peers, local } of this.#bytes.values()) {
      bytes.origin += origin;
      bytes.peers += peers;
      bytes.local += local;
    }
    this.#options.onPulled({
      hostId: this.#options.hostId,
      ...this.#key,
      ...(this.#reference !== undefined && { reference: this.#reference }),
      ...(this.#digest !== undefined && { digest: this.#digest }),
      blobs: this.#blobs.size,
      sentBytes: this.#sentBytes,
      bytes,
      durationMs: Math.round(this.#lastMs - this.#startedMs),
      outcome: failure === undefined ? 'complete' : 'failed',
      ...(failure !== undefined && { error: failure }),
    });
  }
}
