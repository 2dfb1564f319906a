/** The flags of `sim`, parsed: rates in bytes a second, times in ms, shares from 0 to 1. */
export interface SimOptions {
  readonly hosts: number;
  readonly seedHosts: number;
  readonly up: number;
  readonly down?: number;
  readonly origin?: number;
  readonly size: number;
  readonly piece?: number;
  readonly latency: number;
  readonly zones: number;
  readonly farLatency?: number;
  readonly arrive: number;
  readonly slow: number;
  readonly slowPart: number;
  readonly die: number;
  readonly lie: number;
  readonly slotsUp: number;
  readonly slotsDown: number;
  readonly syncCost: number;
  readonly seed: number;
  readonly seeds: number;
  readonly trace?: true;
  readonly json?: true;
}
