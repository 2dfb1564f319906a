const UNITS = ['B', 'KiB', 'MiB', 'GiB', 'TiB', 'PiB'];

/** Bytes in three digits. */
export function bytesText(bytes: number | undefined): string {
  if (bytes === undefined) return '–';
  const power = bytes < 1024 ? 0 : Math.min(UNITS.length - 1, Math.floor(Math.log2(bytes) / 10));
  const value = bytes / 1024 ** power;
  return `${power === 0 || value >= 100 ? Math.round(value) : value.toPrecision(3).replace(/\.?0+$/, '')} ${UNITS[power]}`;
}

/** A time that passed, in its largest unit. */
export function spanText(ms: number): string {
  const seconds = Math.max(0, ms) / 1000;
  if (seconds < 10) return `${seconds.toFixed(1)} s`;
  if (seconds < 120) return `${Math.round(seconds)} s`;
  if (seconds < 7200) return `${Math.round(seconds / 60)} min`;
  return seconds < 172_800 ? `${Math.round(seconds / 3600)} h` : `${Math.round(seconds / 86_400)} d`;
}

/** A wall-clock time of this browser. */
export function dateText(ms: number): string {
  return new Date(ms).toLocaleString(undefined, { dateStyle: 'short', timeStyle: 'medium' });
}

/** An id in twelve characters. */
export function shortId(id: string): string {
  return id.replace(/^(sha256|sha512|url)-/, '').slice(0, 12);
}

export function counted(count: number, one: string, many = `${one}s`): string {
  return `${count.toLocaleString()} ${count === 1 ? one : many}`;
}

/** `no-holder: 12 MiB, …` */
export function reasonList(reasons: Readonly<Record<string, number>> = {}): string {
  return Object.entries(reasons)
    .filter(([, bytes]) => bytes > 0)
    .map(([reason, bytes]) => `${reason.replaceAll('-', ' ')} ${bytesText(bytes)}`)
    .join(', ');
}
