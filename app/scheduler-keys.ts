import { toShoalError } from '../core/errors.ts';
import type { Bus, Subscription } from '../transport/bus.ts';

const PREFIX = 'scheduler-key.';
/** One look-up of unknown keys in this time, however many ask. */
const LOOKUP_MS = 2_000;

interface SchedulerKey {
  readonly id: string;
  readonly publicKey: Uint8Array;
}

/** Puts a scheduler's public key where every host can look it up. @throws ERR_BUS_* */
export async function publishSchedulerKey(bus: Bus, key: SchedulerKey): Promise<void> {
  const directory = bus.directory('directory');
  const known = await directory.get(PREFIX + key.id);
  if (known === undefined) await directory.put(PREFIX + key.id, key.publicKey, 0);
}

/** All scheduler keys ever published and still kept. @throws ERR_BUS_* */
export async function readSchedulerKeys(bus: Bus): Promise<SchedulerKey[]> {
  const entries = await bus.directory('directory').entries();
  return entries.flatMap(({ key, value }) => keyOf(key, value) ?? []);
}

/** Tells every scheduler key there is, and each that comes. */
export function followSchedulerKeys(bus: Bus, learn: (key: SchedulerKey) => void): Subscription {
  return bus.directory('directory').watch(({ key, value }) => {
    const found = value === undefined ? undefined : keyOf(key, value);
    if (found !== undefined) learn(found);
  });
}

function keyOf(key: string, value: Uint8Array): SchedulerKey | undefined {
  if (!key.startsWith(PREFIX) || value.length !== 32) return undefined;
  return { id: key.slice(PREFIX.length), publicKey: value };
}

/** Looks scheduler keys up when one is unknown, rate-limited; never again where NATS forbids it to this login. */
export function schedulerKeyLookup(bus: Bus, learn: (keys: SchedulerKey[]) => void): () => void {
  let nextMs = 0;
  return () => {
    if (performance.now() < nextMs) return;
    nextMs = performance.now() + LOOKUP_MS;
    // Failing leaves things as they are: the child tries again.
    readSchedulerKeys(bus).then(learn, (error: unknown) => {
      if (toShoalError(error).code === 'ERR_BUS_DENIED') nextMs = Number.POSITIVE_INFINITY;
    });
  };
}
