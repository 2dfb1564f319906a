import type { HostId } from '../../core/ids.ts';

/** So long a host that holds something has to tell what, before it is asked. */
const TELLS_MS = 5_000;
/** Between two times that it is asked, and how often that is done. */
const ASK_MS = 10_000;
const ASKS = 3;

/**
 * Hosts that came, hold something, and have not said what. One that was taken for gone, and only was not heard for a while, does
 * not know that it has to tell again.
 */
export class Untold {
  readonly #waiting = new Map<HostId, { dueMs: number; asks: number }>();

  came(hostId: HostId, nowMs: number): void {
    this.#waiting.set(hostId, { dueMs: nowMs + TELLS_MS, asks: ASKS });
  }

  /** It told, or is gone. */
  done(hostId: HostId): void {
    this.#waiting.delete(hostId);
  }

  /** Who is to be asked now. */
  due(nowMs: number): HostId[] {
    const found: HostId[] = [];
    for (const [hostId, row] of this.#waiting) {
      if (nowMs < row.dueMs) continue;
      found.push(hostId);
      row.dueMs = nowMs + ASK_MS;
      row.asks -= 1;
      if (row.asks === 0) this.#waiting.delete(hostId);
    }
    return found;
  }
}
