import type { Bus } from '../transport/bus.ts';

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
  return entries.flatMap(({ key, value }) =>
    key.startsWith(PREFIX) && value.length === 32 ? [{ id: key.slice(PREFIX.length), publicKey: value }] : [],
  );
}

/** Looks scheduler keys up when one is unknown, rate-limited. */
export function schedulerKeyLookup(bus: Bus, learn: (keys: SchedulerKey[]) => void): () => void {
  let nextMs = 0;
  return () => {
    if (performance.now() < nextMs) return;
    nextMs = performance.now() + LOOKUP_MS;
    // Failing leaves things as they are: the child tries again.
    readSchedulerKeys(bus).then(learn, () => undefined);
  };
}
