import { ShoalError } from './errors.ts';

/*
 * Sizes, rates and durations as people write and read them. `MB` is 1000², `MiB` is 1024²; a bare `M` could mean
 * either and is refused.
 */

const SIZE_UNITS: Readonly<Record<string, number>> = {
  b: 1,
  kb: 1e3,
  mb: 1e6,
  gb: 1e9,
  tb: 1e12,
  kib: 1024,
  mib: 1024 ** 2,
  gib: 1024 ** 3,
  tib: 1024 ** 4,
};
const BIT_UNITS: Readonly<Record<string, number>> = { bit: 1, kbit: 1e3, mbit: 1e6, gbit: 1e9 };
const DURATION_UNITS: Readonly<Record<string, number>> = {
  ms: 1,
  s: 1000,
  m: 60_000,
  h: 3_600_000,
  d: 86_400_000,
};

/** Programs give sizes in bytes: Kubernetes its limits. */
const LEAST_BARE_BYTES = 1024 ** 2;

const QUANTITY = /^(\d{1,15}(?:\.\d{1,9})?)\s*([a-z]{0,4})$/;

function quantity(
  text: string,
  units: Readonly<Record<string, number>>,
  what: string,
  example: string,
): number {
  const match = QUANTITY.exec(text.trim().toLowerCase());
  const unit = match?.[2] ?? '';
  if (match !== null && unit === '') return bare(Number(match[1]), Object.hasOwn(units, 'b'), what, example);
  const factor = Object.hasOwn(units, unit) ? units[unit] : undefined;
  const value = match === null || factor === undefined ? Number.NaN : Math.round(Number(match[1]) * factor);
  if (Number.isSafeInteger(value)) return value;
  throw new ShoalError(
    'ERR_CONFIG_INVALID',
    `not a ${what}: ${JSON.stringify(text.slice(0, 40))}; write it as ${example}`,
  );
}

/** Nobody means 20 bytes, or knows whether 30 are seconds: without a unit only 0 counts, and bytes where they are many. */
function bare(value: number, areBytes: boolean, what: string, example: string): number {
  if (value === 0 || (areBytes && value >= LEAST_BARE_BYTES && Number.isSafeInteger(value))) return value;
  throw new ShoalError('ERR_CONFIG_INVALID', `the ${what} ${value} has no unit; write it as ${example}`);
}

/** Bytes of `64GiB`, `20 MB` or `1048576`. @throws ERR_CONFIG_INVALID */
export function parseBytes(text: string): number {
  return quantity(text, SIZE_UNITS, 'size', '512MiB, 64GiB, 20MB or at least 1048576 bytes');
}

/** Bytes a second of `20MB`, `20MB/s` or `100Mbit/s`. @throws ERR_CONFIG_INVALID */
export function parseRate(text: string): number {
  const rate = text.trim().replace(/\/s$/i, '');
  const example = '20MB, 20MiB/s or 100Mbit/s';
  if (!/bit$/i.test(rate)) return quantity(rate, SIZE_UNITS, 'rate', example);
  return Math.floor(quantity(rate, BIT_UNITS, 'rate', example) / 8);
}

const DURATION = /^(?:\d{1,15}(?:\.\d{1,9})?\s*(?:ms|s|m|h|d)\s*){1,5}$/;

/** Milliseconds of `500ms`, `30s`, `1h30m` or `0`. @throws ERR_CONFIG_INVALID */
export function parseDuration(text: string): number {
  const trimmed = text.trim().toLowerCase();
  const example = '500ms, 30s, 5m or 1h30m';
  const parts = DURATION.test(trimmed) ? trimmed.match(/[\d.]+\s*[a-z]+/g) : null;
  if (parts === null) {
    return quantity(text, DURATION_UNITS, 'duration', example);
  }
  return parts.reduce((sum, part) => sum + quantity(part, DURATION_UNITS, 'duration', example), 0);
}

/** Three significant digits, no exponent, no trailing point. */
function digits(value: number): string {
  if (value >= 100) return String(Math.round(value));
  return value.toFixed(value >= 10 ? 1 : 2).replace(/\.?0+$/, '');
}

/** `256 MiB`, `1.5 GiB`, `0 B`. */
export function formatBytes(bytes: number): string {
  let value = Math.max(0, bytes);
  for (const unit of ['B', 'KiB', 'MiB', 'GiB']) {
    // 1023.5 would print as 1024 of the smaller unit.
    if (value < 1023.5) return `${unit === 'B' ? Math.round(value) : digits(value)} ${unit}`;
    value /= 1024;
  }
  return `${digits(value)} TiB`;
}

/** `122 MiB/s`. */
export function formatRate(bytesPerSec: number): string {
  return `${formatBytes(Number.isFinite(bytesPerSec) ? bytesPerSec : 0)}/s`;
}

/** `350 ms`, `2.1 s`, `4 min 5 s`, `3 h 20 min`, `2 d 4 h`. */
export function formatDuration(ms: number): string {
  const value = Math.max(0, ms);
  if (value < 999.5) return `${Math.round(value)} ms`;
  if (value < 59_950) return `${(value / 1000).toFixed(1).replace(/\.0$/, '')} s`;
  const seconds = Math.round(value / 1000);
  if (seconds < 3600) return two(Math.floor(seconds / 60), 'min', seconds % 60, 's');
  const minutes = Math.round(seconds / 60);
  if (minutes < 1440) return two(Math.floor(minutes / 60), 'h', minutes % 60, 'min');
  const hours = Math.round(minutes / 60);
  return two(Math.floor(hours / 24), 'd', hours % 24, 'h');
}

function two(big: number, bigUnit: string, small: number, smallUnit: string): string {
  return small === 0 ? `${big} ${bigUnit}` : `${big} ${bigUnit} ${small} ${smallUnit}`;
}

/** `1 host`, `2 hosts`. */
export function countOf(count: number, noun: string): string {
  return `${count} ${noun}${count === 1 ? '' : 's'}`;
}
