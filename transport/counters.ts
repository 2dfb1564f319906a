/** What a bus counts since its start; `Bus.counters` is a view of it. */
export interface BusCounters {
  /** Messages that could not be decoded or were not valid. */
  invalid: number;
  /** Messages not sent: disconnected, or not permitted. */
  dropped: number;
  /** Requests refused because this bus was answering too many already. */
  slow: number;
}

/** All zero. */
export function newCounters(): BusCounters {
  return { invalid: 0, dropped: 0, slow: 0 };
}
