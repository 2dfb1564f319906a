/* Preloaded by `--import`: this process' wall clock is ahead by SHOAL_TEST_SKEW_MS, its monotonic one is not. */
const skewMs = Number(process.env.SHOAL_TEST_SKEW_MS ?? 0);
const RealDate = globalThis.Date;

globalThis.Date = class SkewedDate extends RealDate {
  constructor(...args) {
    super(...(args.length > 0 ? args : [RealDate.now() + skewMs]));
  }

  static now() {
    return RealDate.now() + skewMs;
  }
};
