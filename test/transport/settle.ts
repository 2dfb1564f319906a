import { expect } from 'vitest';
import type { Bus } from '../../transport/bus.ts';
import { ask, codeOf } from './bus-contract.ts';

/** A round trip through the server: what was sent before it has been taken. */
export async function settle(bus: Bus): Promise<void> {
  const nobody = { ...ask, template: 'nobody.{hostId}.{taskId}.{sender}' };
  const code = await codeOf(
    bus.request(nobody, { hostId: 'h', taskId: 't', sender: bus.name }, { text: '' }, { timeoutMs: 60_000 }),
  );
  expect(code).toBe('ERR_BUS_NO_RESPONDERS');
}
