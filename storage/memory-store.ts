import type { Clock } from '../core/clock.ts';
import type { TaskId } from '../core/ids.ts';
import type { Backing, Depot, Detached, Loaded } from './backing.ts';
import { Keeps } from './keeps.ts';
import { ShelfStore } from './shelf-store.ts';
import type { Store } from './store.ts';

/** A store that keeps content in memory and forgets all of it, for simulations and tests. */
export function createMemoryStore(options: { clock: Pick<Clock, 'wall'>; quotaBytes?: number }): Store {
  return new ShelfStore(
    new MemoryDepot(),
    options.clock,
    options.quotaBytes ?? Number.MAX_SAFE_INTEGER,
    'memory',
    [],
    new Keeps([], { save() {}, erase() {} }),
  );
}

/** Opened tasks are never let go, so there is nothing to load. */
class MemoryDepot implements Depot {
  readonly keepOpen = Number.POSITIVE_INFINITY;

  make(): Backing {
    return new MemoryBacking();
  }

  async load(taskId: TaskId): Promise<Loaded | undefined> {
    throw new Error(`${taskId} is not open in memory`);
  }

  detach(): Detached {
    return { async erase() {}, eraseSync() {} };
  }

  close(): void {}
}

class MemoryBacking implements Backing {
  readonly path = '';
  #content = Buffer.alloc(0);
  #size = 0;

  write(bytes: Uint8Array, position: number): void {
    const end = position + bytes.length;
    if (end > this.#content.length) {
      const grown = Buffer.alloc(Math.max(end, this.#content.length * 2));
      grown.set(this.#content);
      this.#content = grown;
    }
    this.#content.set(bytes, position);
    this.#size = Math.max(this.#size, end);
  }

  readSync(buffer: Uint8Array, position: number): number {
    const part = this.#content.subarray(position, Math.min(this.#size, position + buffer.length));
    buffer.set(part);
    return part.length;
  }

  async read(buffer: Uint8Array, position: number): Promise<number> {
    return this.readSync(buffer, position);
  }

  truncate(length: number): void {
    this.#size = Math.min(this.#size, length);
  }

  append(): void {}
  forget(): void {}
  saveMeta(): void {}
  touch(): void {}
  close(): void {}
}
