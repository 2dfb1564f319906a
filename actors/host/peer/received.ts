/** Bytes received, by source. */
export interface Received {
  readonly origin: number;
  readonly peers: number;
  /** Bytes that were here before. */
  readonly local: number;
}

/** Counts bytes received. */
export class ReceivedCount implements Received {
  origin = 0;
  peers = 0;
  local = 0;
  /** Bytes that came over the network, verified or not. */
  cameBytes = 0;

  add(bytes: number, from: keyof Received): void {
    this[from] += bytes;
  }

  now(): Received {
    return { origin: this.origin, peers: this.peers, local: this.local };
  }
}
