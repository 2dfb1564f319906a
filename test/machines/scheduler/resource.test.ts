import { expect, test } from 'vitest';
import type { HostId, TaskId } from '../../../core/ids.ts';
import { type ResourceEvent, resourceMachine } from '../../../machines/scheduler/resource.ts';
import { eventTypes, ignored, reachable, walkedTypes } from '../explore.ts';

const A = 'a'.repeat(32) as HostId;
const taskId = `url-${'1'.repeat(64)}` as TaskId;
const answer = {
  taskId,
  probed: { length: 5, ranges: false, audience: 'public' as const },
  atMs: 0,
  wallMs: 0,
};
const events: readonly ResourceEvent[] = [
  { type: 'flight.left', hostId: A, ask: 1, nowMs: 0 },
  { type: 'flight.overdue' },
  { type: 'origin.answered', hostId: A, ask: 1, answer },
  { type: 'answer.recalled', answer },
  { type: 'origin.failed', hostId: A, ask: 1 },
  { type: 'stream.broke', taskId },
  { type: 'host.lost', hostId: A },
];
const ground = { machine: resourceMachine, events };

test('every state of a resource is reached', () => {
  expect(walkedTypes(ground)).toEqual(eventTypes(resourceMachine));
  expect([...reachable(ground).keys()].sort()).toEqual(
    ['unknown', 'known', 'broken']
      .flatMap((word) => ['landed', 'asking'].map((flight) => `word.${word} & flight.${flight}`))
      .sort(),
  );
});

test('every event does something in every state of a resource, but for these', () => {
  const landing = ['flight.overdue', 'host.lost', 'origin.failed'];
  expect(ignored(ground)).toEqual({
    'word.unknown & flight.landed': [...landing, 'stream.broke'],
    'word.unknown & flight.asking': ['flight.left', 'stream.broke'],
    'word.known & flight.landed': ['answer.recalled', ...landing, 'origin.answered'].sort(),
    'word.known & flight.asking': ['answer.recalled', 'flight.left'],
    'word.broken & flight.landed': ['answer.recalled', ...landing, 'origin.answered', 'stream.broke'].sort(),
    'word.broken & flight.asking': ['answer.recalled', 'flight.left', 'stream.broke'],
  });
});
