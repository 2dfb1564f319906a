import { type DeliverySource, SOURCES_TOLD } from './delivery.ts';

interface Tally {
  bytes: number;
  receivedBytes: number;
  tookMs: number;
  running: number;
  sinceMs: number;
  failed: Record<string, number> | undefined;
}

/** What each source of a download did: the origin, and each host. */
export class SourceTallies {
  readonly #tallies = new Map<string, Tally>();

  #of(from: string): Tally {
    let tally = this.#tallies.get(from);
    if (tally === undefined) {
      tally = { bytes: 0, receivedBytes: 0, tookMs: 0, running: 0, sinceMs: 0, failed: undefined };
      this.#tallies.set(from, tally);
    }
    return tally;
  }

  began(from: string, nowMs: number): void {
    const tally = this.#of(from);
    if (tally.running === 0) tally.sinceMs = nowMs;
    tally.running += 1;
  }

  /** @param receivedBytes all that the transfer brought, kept or not */
  ended(from: string, receivedBytes: number, nowMs: number): void {
    const tally = this.#of(from);
    tally.running -= 1;
    tally.receivedBytes += receivedBytes;
    if (tally.running === 0) tally.tookMs += nowMs - tally.sinceMs;
  }

  /** A piece of so many bytes was stored. */
  came(from: string, bytes: number): void {
    this.#of(from).bytes += bytes;
  }

  failed(from: string, reason: string): void {
    const tally = this.#of(from);
    tally.failed ??= {};
    tally.failed[reason] = (tally.failed[reason] ?? 0) + 1;
  }

  /** Hosts that gave a piece. */
  get parents(): number {
    let parents = 0;
    for (const [from, { bytes }] of this.#tallies) if (from !== 'origin' && bytes > 0) parents += 1;
    return parents;
  }

  /** Who gave most first; those beyond `SOURCES_TOLD` as one. */
  rows(nowMs: number): DeliverySource[] {
    const rows = [...this.#tallies]
      .map(([from, tally]) => rowOf(from, tally, nowMs))
      .sort((a, b) => b.bytes - a.bytes);
    const told = rows.slice(0, SOURCES_TOLD);
    const others = rows.slice(SOURCES_TOLD);
    return others.length === 0 ? told : [...told, together(others)];
  }
}

function rowOf(from: string, tally: Tally, nowMs: number): DeliverySource {
  const { bytes, receivedBytes, tookMs, running, sinceMs, failed } = tally;
  return {
    from,
    bytes,
    // What a transfer that still runs has brought is not counted yet.
    unusedBytes: running > 0 ? 0 : Math.max(0, receivedBytes - bytes),
    tookMs: running > 0 ? tookMs + nowMs - sinceMs : tookMs,
    failed: { ...failed },
  };
}

function together(rows: readonly DeliverySource[]): DeliverySource {
  const failed: Record<string, number> = {};
  const sum = { from: 'others', hosts: rows.length, bytes: 0, unusedBytes: 0, tookMs: 0, failed };
  for (const row of rows) {
    sum.bytes += row.bytes;
    sum.unusedBytes += row.unusedBytes;
    sum.tookMs = Math.max(sum.tookMs, row.tookMs);
    for (const [reason, times] of Object.entries(row.failed)) failed[reason] = (failed[reason] ?? 0) + times;
  }
  return sum;
}
