import { expect, test, vi } from 'vitest';
import { createEmit } from '../../app/events.ts';
import { realClock, realRandom } from '../../app/real-world.ts';
import { silentLogger } from '../../core/logger.ts';
import { writeAudit } from '../../gateway/audit.ts';
import { TokenDoor } from '../../gateway/tokens/token-door.ts';
import { TokenStore } from '../../gateway/tokens/token-store.ts';
import type { Bus } from '../../transport/bus.ts';
import { SUBJECTS } from '../../transport/subjects.ts';
import { closedNats } from '../app/auth/closed-nats.ts';

const world = (bus: Bus) => ({ bus, clock: realClock, random: realRandom });
const shown = (text: string) => ({ authorization: `Bearer ${text}` });

test('on a closed NATS an operator makes tokens, the gateway lets them in, and nobody else can do either', async () => {
  await using closed = await closedNats('nkeys', 'shared');
  const operator = await closed.bus('alice', 'client', 'alice');
  const gateway = await closed.bus('gateway', 'client', 'gateway');
  const monitor = await closed.bus('monitor', 'client', 'monitor');
  const tokens = new TokenStore(world(operator));
  const { text, record } = await tokens.create({ name: 'ci', scopes: ['read'], forMs: 60_000 });
  const door = new TokenDoor(gateway.directory('tokens'), realClock);
  expect(await door.check(shown(text))).toEqual(record);
  expect(await tokens.list()).toEqual([record]);
  await expect(new TokenStore(world(monitor)).create({ name: 'x', scopes: ['admin'] })).rejects.toMatchObject(
    {
      code: 'ERR_BUS_DENIED',
    },
  );
  await tokens.revoke('ci');
  await vi.waitFor(
    () => expect(door.check(shown(text))).rejects.toMatchObject({ code: 'ERR_API_LOGIN' }),
    5_000,
  );
});

test('on a closed NATS gateway and operator write the audit log, and a monitor hears of it', async () => {
  await using closed = await closedNats('nkeys', 'shared');
  const monitor = await closed.bus('monitor', 'client', 'monitor');
  const heard: string[] = [];
  monitor.subscribeEvents((subject) => heard.push(subject));
  // A round trip: what is subscribed is in force.
  await monitor.gather(SUBJECTS.query, { noun: 'host', sender: 'monitor' }, { op: 'list' }, { waitMs: 100 });
  for (const name of ['gateway', 'alice']) {
    const bus = await closed.bus(name, 'client', name);
    const error = vi.fn();
    const emit = createEmit({ bus, swarm: 'shoal', speaker: name, pieceEvents: false });
    const parts = { ...world(bus), emit, logger: { ...silentLogger, error } };
    await writeAudit(parts, { who: name, action: 'token.revoke', target: 'x', outcome: 'done' });
    expect(error).not.toHaveBeenCalled();
  }
  await vi.waitFor(() => expect(heard).toEqual(['api.changed.gateway.gateway', 'api.changed.alice.alice']));
});
