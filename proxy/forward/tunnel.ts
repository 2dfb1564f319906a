import type { Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import type { ForwardLimits } from './limits.ts';

/** Bytes that went through a tunnel. */
export interface TunnelEnd {
  /** From the client. */
  readonly up: number;
  /** To the client. */
  readonly down: number;
}

/**
 * Joins two connections until both have ended, one has failed, or no byte moved for too long. One side may end before
 * the other.
 */
export function splice(
  client: Duplex,
  origin: Socket,
  head: Buffer,
  { idleMs, lingerMs }: Pick<ForwardLimits, 'idleMs' | 'lingerMs'>,
): Promise<TunnelEnd> {
  return new Promise((resolve) => {
    let open = 2;
    const closed = () => {
      open -= 1;
      if (open === 0) resolve({ up: origin.bytesWritten, down: origin.bytesRead });
    };
    const cut = () => {
      client.destroy();
      origin.destroy();
    };
    origin.setTimeout(idleMs, cut);
    for (const side of [client, origin]) {
      side.on('error', cut);
      if (side.closed) closed();
      else side.once('close', closed);
    }
    client.once('close', () => origin.destroy());
    origin.once('close', () => {
      client.end();
      // A client that does not end its side in turn holds nothing open for long.
      const timer = setTimeout(() => client.destroy(), lingerMs);
      client.once('close', () => clearTimeout(timer));
    });
    if (head.length > 0) origin.write(head);
    client.pipe(origin);
    origin.pipe(client);
    if (client.destroyed) origin.destroy();
  });
}
