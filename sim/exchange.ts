import { type Clock, sleep } from '../core/clock.ts';
import { ShoalError } from '../core/errors.ts';
import { LIMITS } from '../core/limits.ts';
import type { SimNetwork, SimNode } from './network.ts';

/** Resolves when a request has come to a node whose process runs; `code` is what a failure to get there is called. */
export async function travel(
  network: SimNetwork,
  way: { readonly from: SimNode; readonly to: SimNode | undefined; readonly clock: Clock },
  code: 'ERR_PEER_UNAVAILABLE' | 'ERR_SOURCE_UNAVAILABLE',
  signal: AbortSignal,
): Promise<SimNode> {
  const { from, to, clock } = way;
  // Opening a connection and asking: a round trip, and half of one.
  await waiting(sleep(clock, 2 * network.latencyMs, signal), signal);
  const outcome = network.request(from, to);
  if (outcome === 'arrives' && to !== undefined) {
    await waiting(sleep(clock, network.latencyMs, signal), signal);
    if (network.request(from, to) === 'arrives') return to;
  }
  if (outcome !== 'refused') await waiting(sleep(clock, LIMITS.connectMs, signal), signal);
  throw new ShoalError(code, `${to?.name ?? 'nobody'} is out of reach of ${from.name}`);
}

/** Resolves when the process of a node has taken up a request that came to its machine. @throws ERR_PEER_STALLED */
export async function takenUp(node: SimNode, clock: Clock, signal: AbortSignal): Promise<void> {
  let isTaken = false;
  const taken = new Promise<void>((resolve) => {
    node.take(() => {
      isTaken = true;
      resolve();
    });
  });
  if (isTaken) return;
  const late = waiting(sleep(clock, LIMITS.firstByteMs, signal), signal).then(() => {
    throw new ShoalError('ERR_PEER_STALLED', `${node.name} does not answer`);
  });
  await Promise.race([taken, late]);
}

async function waiting(wait: Promise<void>, signal: AbortSignal): Promise<void> {
  try {
    await wait;
  } catch {
    throw cancelled(signal);
  }
}

/** What a transfer that was called off ends with. */
export function cancelled(signal: AbortSignal): ShoalError {
  const { reason } = signal;
  return reason instanceof ShoalError
    ? reason
    : new ShoalError('ERR_CANCELLED', 'called off', { cause: reason });
}

/** A piece of work that hands out bytes [start, end) in chunks. */
export function chunksOf(
  range: { readonly start: number; readonly end: number },
  read: (start: number, end: number) => Promise<Uint8Array>,
  chunkBytes: () => number = () => CHUNK_BYTES,
): () => Promise<Uint8Array | undefined> {
  let at = range.start;
  return async () => {
    if (at >= range.end) return undefined;
    const start = at;
    at = Math.min(range.end, at + chunkBytes());
    return read(start, at);
  };
}

/** What a link carries of one stream before it turns to the next. */
export const CHUNK_BYTES = 64 * 1024;
