import { type Clock, sleep } from '../core/clock.ts';
import { toShoalError } from '../core/errors.ts';
import type { Bus } from '../transport/bus.ts';

const KEY = 'epoch';
const RETRY_MS = 200;
/** Without JetStream for this long after NATS is there, the wall clock alone must do. */
const STORE_MS = 3_000;

/**
 * An epoch larger than every one before: of the wall clock in ms and of the last one claimed, by compare-and-set.
 * Waits for NATS; a store that is missing or wiped leaves the wall clock.
 */
export async function claimEpoch(bus: Bus, clock: Clock, signal: AbortSignal): Promise<number> {
  let connectedMs: number | undefined;
  for (;;) {
    signal.throwIfAborted();
    if (bus.state === 'connected') connectedMs ??= clock.now();
    try {
      if (bus.state === 'connected') return await claimOnce(bus, clock);
    } catch (error) {
      const { code } = toShoalError(error);
      const tooLong = connectedMs !== undefined && clock.now() - connectedMs > STORE_MS;
      if (code !== 'ERR_BUS_CONFLICT' && tooLong) return clock.wall();
    }
    await sleep(clock, RETRY_MS, signal);
  }
}

async function claimOnce(bus: Bus, clock: Clock): Promise<number> {
  const directory = bus.directory('ownership');
  const known = await directory.get(KEY);
  const last = Number(known === undefined ? 0 : new TextDecoder().decode(known.value));
  const epoch = Math.max(clock.wall(), Number.isSafeInteger(last) ? last + 1 : 0);
  await directory.put(KEY, new TextEncoder().encode(String(epoch)), known?.revision ?? 0);
  return epoch;
}
