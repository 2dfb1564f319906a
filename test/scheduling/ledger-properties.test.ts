import fc from 'fast-check';
import { expect, test } from 'vitest';
import type { FailureReason } from '../../core/sync-messages.ts';
import { Swarm } from './children.ts';

const REASONS: FailureReason[] = [
  'busy',
  'missing',
  'unreachable',
  'stalled',
  'corrupt',
  'denied',
  'protocol',
  'origin-status',
  'origin-unavailable',
  'store',
];

const step = fc.oneof(
  {
    weight: 8,
    arbitrary: fc.record({ do: fc.constant('sync' as const), host: fc.nat(9), rate: fc.nat(400) }),
  },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('lost' as const), host: fc.nat(9) }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('reply-lost' as const), host: fc.nat(9) }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('doubled' as const), host: fc.nat(9) }) },
  {
    weight: 1,
    arbitrary: fc.record({ do: fc.constant('urgent' as const), host: fc.nat(9), piece: fc.nat(60) }),
  },
  { weight: 8, arbitrary: fc.record({ do: fc.constant('finish' as const), host: fc.nat(9) }) },
  {
    weight: 2,
    arbitrary: fc.record({
      do: fc.constant('fail' as const),
      host: fc.nat(9),
      reason: fc.constantFrom(...REASONS),
    }),
  },
  {
    weight: 2,
    arbitrary: fc.record({ do: fc.constant('join' as const), host: fc.nat(9), full: fc.boolean() }),
  },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('leave' as const), host: fc.nat(9) }) },
  {
    weight: 1,
    arbitrary: fc.record({ do: fc.constant('evict' as const), host: fc.nat(9), piece: fc.nat(60) }),
  },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('wait' as const), ms: fc.nat(4_000) }) },
);
type Step = typeof step extends fc.Arbitrary<infer T> ? T : never;

function play(swarm: Swarm, action: Step): void {
  if (action.do === 'wait') {
    swarm.nowMs += action.ms;
    for (const id of swarm.ledger.expire(swarm.nowMs)) {
      const child = swarm.children.get(id);
      if (child !== undefined) swarm.take(child);
    }
    return;
  }
  if (action.do === 'join') {
    swarm.join(action.host, action.full && action.host > 6);
    return;
  }
  const child = [...swarm.children.values()][action.host % Math.max(1, swarm.children.size)];
  if (child === undefined) return;
  if (action.do === 'finish') swarm.finish(child);
  else if (action.do === 'fail') swarm.finish(child, action.reason);
  else if (action.do === 'leave') swarm.leave(child);
  else if (action.do === 'evict') swarm.evict(child, action.piece);
  else if (action.do === 'urgent') swarm.sync(child, 'whole', 0, action.piece);
  else swarm.sync(child, action.do === 'sync' ? 'whole' : action.do, action.do === 'sync' ? action.rate : 0);
}

test('whatever hosts join, leave, report, lose or repeat, the rules hold and all complete in the end', () => {
  fc.assert(
    fc.property(
      fc.array(step, { maxLength: 120 }),
      fc.record({
        pieces: fc.integer({ min: 1, max: 60 }),
        upLimit: fc.integer({ min: 1, max: 4 }),
        seed: fc.nat(),
        readers: fc.boolean(),
      }),
      (steps, options) => {
        const swarm = new Swarm(options);
        swarm.join(0);
        swarm.join(1);
        for (const action of steps) {
          play(swarm, action);
          swarm.check();
        }
        swarm.join(0);
        swarm.settle();
        for (const child of [...swarm.children.values()]) swarm.leave(child);
        for (let index = 0; index < 10; index += 1) {
          const id = index.toString(16).padStart(32, '0') as Parameters<typeof swarm.slots.upUsed>[0];
          expect(swarm.slots.upUsed(id)).toBe(0);
          expect(swarm.slots.downUsed(id)).toBe(0);
        }
        expect(swarm.ledger.stats()).toMatchObject({
          hosts: 0,
          leases: 0,
          originReaders: 0,
          originOwed: options.pieces,
        });
      },
    ),
    { numRuns: 400 },
  );
});
