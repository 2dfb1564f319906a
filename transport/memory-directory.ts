import type { Cancel } from '../core/clock.ts';
import type { BusState, Directory, DirectoryEntry, Subscription } from './bus.ts';
import { checkSize } from './codec.ts';
import { checkKey } from './directory-key.ts';
import { type MemorySwitch, STORE_PLACE } from './memory-hub.ts';
import type { MemoryBucket, MemoryChange } from './memory-store.ts';

/** The wire that a bus reaches the store by. */
interface StoredWire {
  readonly name: string;
  readonly state: BusState;
  onState(listener: (state: BusState) => void): Subscription;
  /** @throws ERR_BUS_UNAVAILABLE while the store is out of reach */
  stored<Value>(read: () => Value): Promise<Value>;
}

/** A directory of a hub in memory, seen by one bus. */
export class MemoryDirectory implements Directory {
  readonly #wire: StoredWire;
  readonly #hub: MemorySwitch;
  readonly #bucket: MemoryBucket;

  constructor(wire: StoredWire, hub: MemorySwitch, bucket: MemoryBucket) {
    this.#wire = wire;
    this.#hub = hub;
    this.#bucket = bucket;
  }

  async get(key: string): Promise<DirectoryEntry | undefined> {
    checkKey(key);
    return this.#wire.stored(() => this.#bucket.get(key));
  }

  async put(key: string, value: Uint8Array, revision: number): Promise<number> {
    checkKey(key);
    checkSize(value);
    return this.#wire.stored(() => this.#bucket.put(key, value, revision));
  }

  async remove(key: string, revision: number): Promise<void> {
    checkKey(key);
    return this.#wire.stored(() => this.#bucket.remove(key, revision));
  }

  entries(): Promise<DirectoryEntry[]> {
    return this.#wire.stored(() => this.#bucket.all());
  }

  watch(listener: (entry: MemoryChange) => void): Subscription {
    const known = new Map<string, number>();
    const timers = new Set<Cancel>();
    let open = true;
    // Changes seen here are those of now, not those of the time they were sent: each look finds the difference.
    const look = () => {
      if (!open || this.#wire.state !== 'connected') return;
      const entries = this.#bucket.all();
      const present = new Set(entries.map(({ key }) => key));
      const gone = [...known].filter(([key]) => !present.has(key));
      for (const [key, revision] of gone) {
        known.delete(key);
        listener({ key, value: undefined, revision });
      }
      for (const entry of entries) {
        if (known.get(entry.key) === entry.revision) continue;
        known.set(entry.key, entry.revision);
        listener(entry);
      }
    };
    const lookSoon = () => {
      const cancel = this.#hub.clock.after(this.#hub.latencyMs(STORE_PLACE, this.#wire.name), () => {
        timers.delete(cancel);
        look();
      });
      timers.add(cancel);
    };
    this.#bucket.watchers.add(lookSoon);
    const state = this.#wire.onState((now) => {
      if (now === 'connected') lookSoon();
    });
    lookSoon();
    return {
      close: () => {
        open = false;
        state.close();
        this.#bucket.watchers.delete(lookSoon);
        for (const cancel of timers) cancel();
      },
    };
  }
}
