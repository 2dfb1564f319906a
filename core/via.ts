/* The Via header: which proxies a request came through, daemons of Shoal among them. RFC 9110 §7.6.3 */

/** The name of a host in Via headers. */
export function viaName(hostId: string): string {
  return `shoal-${hostId}`;
}

/** Names of those that a request came through, in small letters, the one nearest to the client first. */
export function hopsOf(header: string | undefined): string[] {
  const hops = (header ?? '').split(',').map((hop) => hop.trim().split(/\s+/)[1]);
  return hops.filter((name) => name !== undefined).map((name) => name.toLowerCase());
}

/** The daemons among those that a request came through. */
export function daemonsOf(header: string | undefined): string[] {
  return hopsOf(header).filter((name) => /^shoal-[0-9a-f]{32}$/.test(name));
}

/** The header with one more hop. */
export function withHop(header: string | undefined, name: string): string {
  const before = header?.trim() ?? '';
  return before === '' ? `1.1 ${name}` : `${before}, 1.1 ${name}`;
}
