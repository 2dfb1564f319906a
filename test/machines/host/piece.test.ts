import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { createActor } from 'xstate';
import { failureReasonSchema, type Parent } from '../../../core/sync-messages.ts';
import { type PieceEvent, pieceMachine } from '../../../machines/host/piece.ts';
import { eventTypes, finals, ignored, reachable, stranded, walkedTypes } from '../explore.ts';

const right = new Uint8Array(32).fill(7);
const wrong = new Uint8Array(32).fill(8);
const parent = 'a'.repeat(32) as Parent;
const input = { piece: 3, parent };
const events: readonly PieceEvent[] = [
  { type: 'bytes.started' },
  { type: 'bytes.ended', hash: right, length: 5, expected: right },
  { type: 'bytes.ended', hash: wrong, length: 5, expected: right },
  { type: 'transfer.failed', reason: 'stalled' },
];
const ground = { machine: pieceMachine, events, input };

describe('the graph of a piece', () => {
  test('every state is reached, and two of them end it', () => {
    expect(walkedTypes(ground)).toEqual(eventTypes(pieceMachine));
    // The verdict falls within one step: no piece is ever seen verifying.
    const states = Object.keys(pieceMachine.states).filter((state) => state !== 'verifying');
    expect([...reachable(ground).keys()].sort()).toEqual(states.sort());
    expect(finals(ground)).toEqual(['failed', 'stored']);
    expect(stranded(ground)).toEqual([]);
  });

  test('every event does something in every state, but for these', () => {
    expect(ignored(ground)).toEqual({
      requesting: ['bytes.ended'],
      receiving: ['bytes.started'],
    });
  });
});

function watched(from: Parent = parent) {
  const records: { piece: number; length: number }[] = [];
  const actor = createActor(
    pieceMachine.provide({
      actions: {
        record: ({ context: { piece }, event }) => {
          if (event.type === 'bytes.ended') records.push({ piece, length: event.length });
        },
      },
    }),
    { input: { ...input, parent: from } },
  ).start();
  return { actor, records };
}

describe('a piece', () => {
  test('is recorded when its hash is right', () => {
    const { actor, records } = watched();
    actor.send({ type: 'bytes.started' });
    expect(records).toEqual([]);
    actor.send({ type: 'bytes.ended', hash: right.slice(), length: 5, expected: right });
    expect(records).toEqual([{ piece: 3, length: 5 }]);
    expect(actor.getSnapshot()).toMatchObject({ value: 'stored', context: { piece: 3, reason: undefined } });
  });

  test('is believed of an origin whatever its hash', () => {
    const { actor, records } = watched('origin');
    actor.send({ type: 'bytes.started' });
    actor.send({ type: 'bytes.ended', hash: wrong, length: 5, expected: undefined });
    expect(records).toHaveLength(1);
  });

  test('is not believed of a host where no hash is known', () => {
    const records: number[] = [];
    const actor = createActor(
      pieceMachine.provide({ actions: { record: ({ context: { piece } }) => void records.push(piece) } }),
      { input },
    ).start();
    actor.send({ type: 'bytes.started' });
    actor.send({ type: 'bytes.ended', hash: right, length: 5, expected: undefined });
    expect(actor.getSnapshot()).toMatchObject({ value: 'failed', context: { reason: 'corrupt' } });
    expect(records).toEqual([]);
  });

  test('ends with the reason of its transfer from wherever it is', () => {
    for (const reason of failureReasonSchema.options) {
      for (const begun of [false, true]) {
        const { actor, records } = watched();
        if (begun) actor.send({ type: 'bytes.started' });
        actor.send({ type: 'transfer.failed', reason });
        expect(actor.getSnapshot()).toMatchObject({ value: 'failed', context: { reason } });
        expect(records).toEqual([]);
      }
    }
  });

  test('does not end before it began', () => {
    const { actor, records } = watched();
    actor.send({ type: 'bytes.ended', hash: right, length: 5, expected: right });
    expect(actor.getSnapshot().value).toBe('requesting');
    expect(records).toEqual([]);
  });

  test('is recorded if and only if every byte of the hash is right', () => {
    fc.assert(
      fc.property(
        fc.uint8Array({ minLength: 32, maxLength: 32 }),
        fc.oneof(
          fc.constant(undefined),
          fc.uint8Array({ minLength: 0, maxLength: 64 }),
          fc.record({ at: fc.nat({ max: 31 }), by: fc.integer({ min: 1, max: 255 }) }),
        ),
        (expected, change) => {
          const hash = change instanceof Uint8Array ? change : expected.slice();
          if (change !== undefined && !(change instanceof Uint8Array)) {
            hash[change.at] = ((hash[change.at] ?? 0) + change.by) % 256;
          }
          const { actor, records } = watched();
          actor.send({ type: 'bytes.started' });
          actor.send({ type: 'bytes.ended', hash, length: 5, expected });
          const isRight = Buffer.compare(hash, expected) === 0;
          expect(records).toHaveLength(isRight ? 1 : 0);
          expect(actor.getSnapshot().context.reason).toBe(isRight ? undefined : 'corrupt');
        },
      ),
      { numRuns: 200 },
    );
  });

  test('is recorded at most once, and never after it failed, whatever comes in whatever order', () => {
    fc.assert(
      fc.property(fc.array(fc.constantFrom(...events), { maxLength: 12 }), (story) => {
        const { actor, records } = watched();
        for (const event of story) if (actor.getSnapshot().status === 'active') actor.send(event);
        const { value } = actor.getSnapshot();
        expect(records).toHaveLength(value === 'stored' ? 1 : 0);
      }),
      { numRuns: 300 },
    );
  });
});
