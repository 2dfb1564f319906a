import { isIP, isIPv4 } from 'node:net';

/** An address as it is checked: IPv4 where it is, or carries, one. */
export interface PlainAddress {
  readonly address: string;
  readonly family: 'ipv4' | 'ipv6';
}

/**
 * An address without zone, in plain form; an IPv6 form that carries an IPv4 address (mapped, compatible, NAT64,
 * 6to4) as that address. Undefined where the text is no address.
 */
export function plainAddress(text: string): PlainAddress | undefined {
  const bare = text.replace(/^\[(.*)\]$/, '$1').replace(/%.*$/, '');
  if (isIPv4(bare)) return { address: bare, family: 'ipv4' };
  if (isIP(bare) !== 6) return undefined;
  const groups = groupsOf(bare);
  const embedded = embeddedIn(groups);
  if (embedded !== undefined) {
    const [high, low] = embedded;
    return { address: `${high >> 8}.${high & 255}.${low >> 8}.${low & 255}`, family: 'ipv4' };
  }
  return { address: groups.map((group) => group.toString(16)).join(':'), family: 'ipv6' };
}

function embeddedIn(groups: readonly number[]): [number, number] | undefined {
  const [a = 0, b = 0, c = 0, d = 0, e = 0, f = 0, g = 0, h = 0] = groups;
  const zero4 = (a | b | c | d) === 0;
  if (zero4 && e === 0 && f === 0xffff) return [g, h];
  if (zero4 && e === 0xffff && f === 0) return [g, h];
  // Compatible form, but not :: and ::1, which are addresses of their own.
  if (zero4 && (e | f) === 0 && (g !== 0 || h > 1)) return [g, h];
  if (a === 0x64 && b === 0xff9b && (c | d | e | f) === 0) return [g, h];
  if (a === 0x2002) return [b, c];
  return undefined;
}

/** The eight numbers of an IPv6 address. */
export function groupsOf(address: string): number[] {
  const hex = address.replace(
    /(\d+)\.(\d+)\.(\d+)\.(\d+)$/,
    (_, a: string, b: string, c: string, d: string) =>
      `${((Number(a) << 8) | Number(b)).toString(16)}:${((Number(c) << 8) | Number(d)).toString(16)}`,
  );
  const [head = '', tail] = hex.split('::');
  const parse = (part: string) =>
    part === '' ? [] : part.split(':').map((group) => Number.parseInt(group, 16));
  const left = parse(head);
  if (tail === undefined) return left;
  const right = parse(tail);
  return [...left, ...new Array<number>(8 - left.length - right.length).fill(0), ...right];
}
