import { createMemoryHub, type MemoryBus } from '../../transport/memory-bus.ts';
import { busContract } from './bus-contract.ts';
import { realClock, seededRandom } from './real-clock.ts';

busContract('in memory', () => {
  const hub = createMemoryHub({ clock: realClock, random: seededRandom(1), latencyMs: () => 0 });
  const buses: MemoryBus[] = [];
  const all = (on: boolean) => {
    for (const bus of buses) bus.setConnected(on);
    return Promise.resolve();
  };
  return Promise.resolve({
    bus: (name) => {
      const bus = hub.bus(name);
      buses.push(bus);
      return Promise.resolve(bus);
    },
    cut: () => all(false),
    restore: () => all(true),
    settle: () => Promise.resolve(),
    dispose: () => Promise.resolve(),
  });
});
