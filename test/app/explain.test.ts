import { expect, test } from 'vitest';
import type { TaskHistory } from '../../admin/control.ts';
import { explanation } from '../../app/explain.ts';
import type { Delivery } from '../../core/delivery.ts';
import type { TaskDetail } from '../../core/swarm-rows.ts';

const TASK = `sha256-${'a'.repeat(64)}`;
const [A = '', B = '', C = ''] = ['a', 'b', 'c'].map((digit) => digit.repeat(32));
const none = { origin: 0, peers: 0, local: 0 };

const delivery = (more: Partial<Delivery> = {}): Delivery => ({
  outcome: 'complete',
  begunMs: 1,
  atMs: 2,
  bytes: { origin: 4, peers: 2, local: 0 },
  droppedBytes: 0,
  originReasons: { 'no-holder': 4 },
  durationMs: 5,
  linkBytesPerSec: 0,
  sources: [],
  ...more,
});

const row = (hostId: string, state = 'complete', bytes = none, originReasons = {}) => ({
  hostId,
  have: 1,
  pieces: 1,
  bytes,
  originReasons,
  state,
});

const task = (...peers: TaskDetail['peers']): TaskDetail => ({
  taskId: TASK,
  state: 'idle',
  length: 6,
  sources: ['http://origin/a'],
  holders: 1,
  fetching: 0,
  audience: 'public',
  peers,
  originReasons: {},
});

const history = (...deliveries: TaskHistory['deliveries']): TaskHistory => ({
  taskId: TASK,
  hashes: 1,
  created: { atMs: 1, epoch: 1, length: 6, sources: ['http://origin/a'] },
  deliveries,
});

const nobody = { taskId: TASK, task: undefined, history: 'ERR_BUS_NO_RESPONDERS', told: new Map() };
const by = (...heard: Parameters<typeof explanation>) =>
  explanation(...heard)?.hosts.map(({ hostId, toldBy }) => [hostId[0], toldBy]);

test('of each host its own word counts first, then the log, then what a scheduler saw', () => {
  const heard = {
    taskId: TASK,
    task: task(row(A), row(B), row(C, 'complete', { origin: 3, peers: 0, local: 0 }, { adrift: 3 })),
    history: history({ hostId: A, ...delivery() }, { hostId: B, ...delivery() }),
    told: new Map([[A, delivery({ originReasons: { adrift: 4 } })]]),
  };
  expect(by(heard, undefined)).toEqual([
    ['a', 'host'],
    ['b', 'log'],
    ['c', 'scheduler'],
  ]);
  expect(explanation(heard, undefined)).toMatchObject({
    bytes: { origin: 11, peers: 4, local: 0 },
    originReasons: { adrift: 7, 'no-holder': 4 },
    heard: { scheduler: true, hosts: 1, log: 'read' },
  });
  expect(by(heard, B)).toEqual([['b', 'log']]);
});

test('a download that goes on is not told as the one before it in the log', () => {
  const bytes = { origin: 1, peers: 0, local: 0 };
  const heard = {
    ...nobody,
    task: task(row(A, 'fetching', bytes)),
    history: history({ hostId: A, ...delivery() }),
  };
  expect(by(heard, undefined)).toEqual([['a', 'scheduler']]);
  expect(explanation(heard, undefined)?.hosts[0]?.outcome).toBe('running');
});

test('a host that was started anew and has all from before does not take the place of the log', () => {
  const local = delivery({ bytes: { origin: 0, peers: 0, local: 6 }, originReasons: {} });
  const heard = { ...nobody, history: history({ hostId: A, ...delivery() }), told: new Map([[A, local]]) };
  expect(by(heard, undefined)).toEqual([['a', 'log']]);
});

test('hosts alone, and the log alone, are enough; where nobody says anything there is nothing', () => {
  expect(by({ ...nobody, told: new Map([[A, delivery()]]) }, undefined)).toEqual([['a', 'host']]);
  expect(explanation({ ...nobody, history: history({ hostId: A, ...delivery() }) }, undefined)).toMatchObject(
    {
      length: 6,
      sources: ['http://origin/a'],
      heard: { scheduler: false, hosts: 0, log: 'read' },
    },
  );
  expect(explanation(nobody, undefined)).toBe(undefined);
});
