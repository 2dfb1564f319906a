import { expect, vi } from 'vitest';
import type { Bus } from '../../transport/bus.ts';
import { connectNatsBus } from '../../transport/nats-bus.ts';
import { startNats } from '../support/nats-server.ts';
import { busContract } from './bus-contract.ts';
import { settle } from './settle.ts';

busContract('over NATS', async () => {
  const nats = await startNats();
  const buses: Bus[] = [];
  const reach = (state: string) =>
    vi.waitFor(
      () => {
        for (const bus of buses) if (bus.state !== 'closed') expect(bus.state).toBe(state);
      },
      { interval: 5 },
    );
  return {
    bus: async (name) => {
      const bus = connectNatsBus({ servers: nats.url, name, swarm: 'test' });
      buses.push(bus);
      await reach('connected');
      return bus;
    },
    cut: async () => {
      await nats.stop();
      await reach('disconnected');
    },
    restore: async () => {
      await nats.restart();
      await reach('connected');
    },
    settle,
    dispose: () => nats[Symbol.asyncDispose](),
  };
});
