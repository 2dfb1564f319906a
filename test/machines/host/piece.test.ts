import fc from 'fast-check';
import { describe, expect, test, vi } from 'vitest';
import { createActor } from 'xstate';
import type { HostId } from '../../../core/ids.ts';
import type { Run } from '../../../core/run.ts';
import { type PieceEffects, type PieceEvent, pieceMachine } from '../../../machines/host/piece.ts';
import { eventTypes, finals, ignored, reachable, stranded, walkedTypes } from '../explore.ts';

const right = new Uint8Array(32).fill(7);
const wrong = new Uint8Array(32).fill(8);
const host = (name: string) => ({ hostId: name.repeat(32) as HostId, ip: '10.0.0.1', port: 1 });
const run: Run = { first: 3, count: 2, from: host('a'), hedge: false };
const error = { code: 'ERR_STORE_FULL', message: '' } as never;

function effects(expected: Uint8Array | undefined) {
  return {
    expected: vi.fn(() => expected),
    read: vi.fn(),
    hold: vi.fn(),
    seize: vi.fn(() => Promise.resolve()),
    land: vi.fn(),
    record: vi.fn(),
    dropHedges: vi.fn(),
    abort: vi.fn(),
    discard: vi.fn(),
  } satisfies PieceEffects;
}

const events: readonly PieceEvent[] = [
  { type: 'body.opened' },
  { type: 'slot.given' },
  { type: 'piece.came', piece: 3, hash: right, length: 5 },
  { type: 'piece.came', piece: 3, hash: wrong, length: 5 },
  { type: 'record.failed', error },
  { type: 'bytes.held', hash: right },
  { type: 'bytes.held', hash: wrong },
  { type: 'hedge.begun', hedge: { ...run, from: host('b'), hedge: true } },
  { type: 'hedge.proved' },
  { type: 'transfer.ended' },
  { type: 'transfer.ended', error },
  { type: 'lease.dropped' },
  // What the end of the seizing becomes.
  { type: 'xstate.done.actor.seize' } as unknown as PieceEvent,
];
const ground = (hedge: boolean) => ({
  machine: pieceMachine,
  events,
  input: { run: { ...run, hedge }, effects: effects(right) },
});

describe('the graph of a lease', () => {
  test('every state is reached, by a lease or by a hedge, and three of them end it', () => {
    expect(walkedTypes(ground(false))).toEqual(eventTypes(pieceMachine));
    const states = [ground(false), ground(true)].flatMap((of) => [...reachable(of).keys()]);
    expect([...new Set(states)].sort()).toEqual(Object.keys(pieceMachine.states).sort());
    for (const of of [ground(false), ground(true)]) {
      expect(finals(of)).toEqual(['dropped', 'failed', 'stored']);
      expect(stranded(of)).toEqual([]);
    }
  });

  test('a state hears of these events, and of no others', () => {
    const types = eventTypes(pieceMachine);
    const ignores = Object.entries({ ...ignored(ground(false)), ...ignored(ground(true)) });
    const heard = ignores.map(([state, idle]) => [state, types.filter((type) => !idle.includes(type))]);
    const inAny = ['hedge.begun', 'lease.dropped', 'piece.came', 'record.failed', 'transfer.ended'];
    expect(Object.fromEntries(heard)).toEqual({
      queued: ['body.opened', 'lease.dropped', 'slot.given'],
      opened: ['lease.dropped', 'slot.given'],
      running: inAny,
      hedged: [...inAny, 'hedge.proved'].sort(),
      held: ['bytes.held', 'lease.dropped', 'transfer.ended'],
      seizing: ['lease.dropped', 'xstate.done.actor.seize'],
      seized: ['bytes.held', 'transfer.ended'],
      refused: ['transfer.ended'],
    });
  });
});

test('a piece is recorded if and only if the lease runs and its hash is right, whatever comes in whatever order', () => {
  fc.assert(
    fc.property(
      fc.boolean(),
      fc.constantFrom(right, wrong, undefined),
      fc.array(fc.constantFrom(...events), { maxLength: 12 }),
      (hedge, expected, story) => {
        const did = effects(expected);
        const actor = createActor(pieceMachine, { input: { run: { ...run, hedge }, effects: did } }).start();
        for (const event of story) {
          const { value, status } = actor.getSnapshot();
          if (status !== 'active') break;
          const before = did.record.mock.calls.length;
          actor.send(event);
          const isRight = event.type === 'piece.came' && event.hash === expected;
          const runs = value === 'running' || value === 'hedged';
          expect(did.record.mock.calls.length - before).toBe(isRight && runs ? 1 : 0);
        }
        actor.stop();
      },
    ),
    { numRuns: 300 },
  );
});
