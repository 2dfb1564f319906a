import { expect, test, vi } from 'vitest';
import { followSchedulerKeys, publishSchedulerKey, schedulerKeyLookup } from '../../app/scheduler-keys.ts';
import { ShoalError } from '../../core/errors.ts';
import type { Bus } from '../../transport/bus.ts';
import { createMemoryHub } from '../../transport/memory-bus.ts';
import { realClock, seededRandom } from '../transport/real-clock.ts';

const keyOf = (id: string) => ({ id, publicKey: new Uint8Array(32).fill(id.length) });

test('a scheduler hears of the keys of those before it and of those after it', async () => {
  const hub = createMemoryHub({ clock: realClock, random: seededRandom(1) });
  await publishSchedulerKey(hub.bus('early'), keyOf('a'));
  const heard: string[] = [];
  const following = followSchedulerKeys(hub.bus('scheduler'), ({ id }) => heard.push(id));
  await vi.waitFor(() => expect(heard).toEqual(['a']));
  const late = hub.bus('late');
  await late.directory('directory').put('scheduler-key.short', new Uint8Array(3), 0);
  await publishSchedulerKey(late, keyOf('bb'));
  await vi.waitFor(() => expect(heard).toEqual(['a', 'bb']));
  following.close();
});

test('keys that NATS forbids to look up are asked for once', async () => {
  const entries = vi.fn(() => Promise.reject(new ShoalError('ERR_BUS_DENIED', 'no')));
  const bus = { directory: () => ({ entries }) } as unknown as Bus;
  vi.useFakeTimers({ toFake: ['performance'] });
  try {
    const lookUp = schedulerKeyLookup(bus, () => undefined);
    vi.advanceTimersByTime(10_000);
    lookUp();
    await new Promise(setImmediate);
    vi.advanceTimersByTime(60_000);
    lookUp();
    expect(entries).toHaveBeenCalledTimes(1);
  } finally {
    vi.useRealTimers();
  }
});
