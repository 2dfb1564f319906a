/** Bounds and time limits of the forward proxy. */
export const FORWARD_LIMITS = {
  connectMs: 5_000,
  /** Without a byte in either direction for this long, a request or a tunnel is given up. */
  idleMs: 300_000,
  /** A swarm that has not given the first byte by then is not waited for: the request goes direct. */
  swarmFirstByteMs: 30_000,
  /** A client that says nothing for this long after CONNECT waits for the origin to speak: not TLS. */
  silentClientMs: 3_000,
  handshakeMs: 10_000,
  /** How long a client may keep its side of a tunnel open after the origin closed. */
  lingerMs: 10_000,
  /** How long an intercepted connection may take over the headers of its next request. */
  headersMs: 60_000,
  /** Between bytes from the swarm; then the connection is cut, and the client goes on by range. */
  stallMs: 20_000,
  headerBytes: 32 * 1024,
  /**
   * Tunnels open at a time, intercepted ones included: half of the connections that the port takes from one address, so
   * that all tunnels of a machine leave room for its pulls.
   */
  tunnels: 512,
  connections: 1_024,
  connectionsPerOrigin: 256,
  freeConnectionsPerOrigin: 16,
  /** Leaf certificates kept. */
  leaves: 512,
} as const;

/** The same, of any values. */
export type ForwardLimits = { readonly [Name in keyof typeof FORWARD_LIMITS]: number };
