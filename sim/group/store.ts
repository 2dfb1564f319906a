import type { Clock } from '../../core/clock.ts';
import { ShoalError } from '../../core/errors.ts';
import type { Directory, DirectoryEntry, Subscription } from '../../transport/bus.ts';
import { MemoryBucket } from '../../transport/memory-store.ts';
import type { SimRandom } from '../random.ts';

/** What reaches the store, and comes back from it, now. */
export interface StoreFaults {
  /** Nobody reaches it. */
  isDown: boolean;
  /** Share of the requests that get lost, and of the answers. */
  loss: number;
  /** One way, ms at most. */
  latencyMs: number;
}

/** Who asks: a process may be cut off, or stand still. */
interface Asker {
  readonly isCut: boolean;
  /** Runs as soon as the process does. */
  run(work: () => void): void;
}

/** A store with compare-and-set in virtual time, that loses requests and answers, and can be wiped. */
export class ModelStore {
  /** Told each value that is put, with the one before. */
  onPut: (key: string, value: Uint8Array, before: Uint8Array | undefined) => void = () => {};
  /** So many answers to come are lost. */
  loseAnswers = 0;
  readonly faults: StoreFaults = { isDown: false, loss: 0, latencyMs: 5 };
  readonly #clock: Clock;
  readonly #random: SimRandom;
  readonly #watchers = new Set<() => void>();
  #bucket = new MemoryBucket();

  constructor(clock: Clock, random: SimRandom) {
    this.#clock = clock;
    this.#random = random;
  }

  get(key: string): Uint8Array | undefined {
    return this.#bucket.get(key)?.value;
  }

  wipe(): void {
    this.#bucket = new MemoryBucket();
    this.#changed();
  }

  #changed(): void {
    for (const watcher of this.#watchers) watcher();
  }

  #latencyMs(): number {
    return this.#random.next() * this.faults.latencyMs;
  }

  /** The store as one process sees it. */
  directory(asker: Asker): Directory {
    const on = <R>(use: (bucket: MemoryBucket) => R) => this.#ask(asker, use);
    return {
      get: (key) => on((bucket) => bucket.get(key)),
      put: (key, value, revision) =>
        on((bucket) => {
          const before = bucket.get(key)?.value;
          const put = bucket.put(key, value, revision);
          this.onPut(key, value, before);
          this.#changed();
          return put;
        }),
      remove: (key, revision) =>
        on((bucket) => {
          bucket.remove(key, revision);
          this.#changed();
        }),
      entries: () => on((bucket) => bucket.all()),
      watch: (listener) => this.#watch(asker, listener),
    };
  }

  /** What is lost is never answered: whoever asks does not wait for ever. */
  #ask<R>(asker: Asker, use: (bucket: MemoryBucket) => R): Promise<R> {
    if (asker.isCut) return Promise.reject(new ShoalError('ERR_BUS_UNAVAILABLE', 'cut off'));
    return new Promise((resolve, reject) => {
      this.#clock.after(this.#latencyMs(), () => {
        if (asker.isCut || this.faults.isDown || this.#random.chance(this.faults.loss)) return;
        let settle: () => void;
        try {
          const result = use(this.#bucket);
          settle = () => resolve(result);
        } catch (error) {
          settle = () => reject(error as ShoalError);
        }
        if (this.#isAnswerLost()) return;
        this.#clock.after(this.#latencyMs(), () => {
          if (!asker.isCut) asker.run(settle);
        });
      });
    });
  }

  #isAnswerLost(): boolean {
    if (this.loseAnswers === 0) return this.#random.chance(this.faults.loss);
    this.loseAnswers -= 1;
    return true;
  }

  /** Tells each change late, several as one, and after an outage all that there is. */
  #watch(asker: Asker, listener: Parameters<Directory['watch']>[0]): Subscription {
    const told = new Map<string, number>();
    let open = true;
    let isDue = false;
    const tell = (entries: readonly DirectoryEntry[]) => {
      const present = new Set(entries.map(({ key }) => key));
      for (const [key, revision] of [...told]) {
        if (present.has(key)) continue;
        told.delete(key);
        listener({ key, value: undefined, revision });
      }
      for (const entry of entries) {
        if (told.get(entry.key) === entry.revision) continue;
        told.set(entry.key, entry.revision);
        listener(entry);
      }
    };
    const look = () => {
      if (isDue || !open) return;
      isDue = true;
      this.#clock.after(this.#latencyMs(), () => {
        isDue = false;
        if (!open) return;
        if (asker.isCut || this.faults.isDown) return void this.#clock.after(1_000, look);
        const entries = this.#bucket.all();
        asker.run(() => {
          if (open) tell(entries);
        });
      });
    };
    this.#watchers.add(look);
    look();
    return {
      close: () => {
        open = false;
        this.#watchers.delete(look);
      },
    };
  }
}
