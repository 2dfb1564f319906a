/** Time and retry limits of reading an origin, in milliseconds and counts. */
export interface OriginLimits {
  readonly connectMs: number;
  /** Without a byte for this long, before or after the headers, the connection counts as cut. */
  readonly stallMs: number;
  /** Attempts in a row without progress. */
  readonly tries: number;
  /** How long attempts in a row without progress may take in all. */
  readonly budgetMs: number;
  /** First wait between attempts; doubles, with jitter. */
  readonly backoffMs: number;
  readonly redirects: number;
}

export const ORIGIN_LIMITS: OriginLimits = {
  connectMs: 3_000,
  stallMs: 10_000,
  tries: 5,
  budgetMs: 20_000,
  backoffMs: 250,
  redirects: 5,
};

/** Bytes after which an attempt counts as progress and the budget starts anew. */
export const PROGRESS_BYTES = 64 * 1024;
