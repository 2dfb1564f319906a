import { expect, test, vi } from 'vitest';
import { TaskHistories } from '../../../../actors/scheduler/task-history.ts';
import type { Delivery } from '../../../../core/delivery.ts';
import { SUBJECTS } from '../../../../transport/subjects.ts';
import { TASK } from '../scene.ts';
import { FOUR, taskScene } from './scene.ts';

const delivery = (more: Partial<Delivery> = {}): Delivery => ({
  outcome: 'complete',
  begunMs: 7,
  atMs: 1,
  bytes: { origin: 3, peers: 1, local: 0 },
  droppedBytes: 0,
  originReasons: { 'no-holder': 3 },
  durationMs: 5,
  linkBytesPerSec: 0,
  sources: [],
  ...more,
});

function scene() {
  const at = taskScene();
  const append = vi.spyOn(at.world.bus, 'append');
  const told = () =>
    append.mock.calls.filter(([subject]) => subject === SUBJECTS.delivery).map(([, tokens]) => tokens);
  const histories = new TaskHistories(at.world);
  const history = (after?: string) =>
    histories.answer(TASK, { op: 'history', taskId: TASK, ...(after && { after }), limit: 1 });
  return { ...at, told, history };
}

test('what a host tells of a download that is over is logged once, and a second download of its again', () => {
  const { host, told } = scene();
  const a = host(1);
  a.sync(FOUR);
  expect(told()).toEqual([]);
  const end = { ...FOUR, wants: false };
  a.sync({ ...end, delivery: delivery() });
  a.sync({ ...end, delivery: delivery() });
  expect(told()).toHaveLength(1);
  a.sync({ ...end, delivery: delivery({ begunMs: 8 }) });
  expect(told()).toHaveLength(2);
});

test('a host that had all before brings nothing into the log; one that failed does, with what it was told', () => {
  const { host, told } = scene();
  const local = delivery({ bytes: { origin: 0, peers: 0, local: 4 }, originReasons: {} });
  const [a, b] = [host(1), host(2)];
  a.sync({ ...FOUR, wants: false, delivery: local });
  expect(told()).toEqual([]);
  b.sync({ ...FOUR, wants: false, delivery: { ...local, outcome: 'failed' } });
  expect(told()).toMatchObject([{ hostId: b.id }]);
});

test('the history tells the last word of each kind, and deliveries by the page in the order of the hosts', async () => {
  const { host, history, pass } = scene();
  for (const index of [1, 2]) {
    const one = host(index);
    one.sync(FOUR);
    one.sync({ ...FOUR, wants: false, delivery: delivery({ begunMs: index }) });
  }
  const settled = async (after?: string) => {
    let answer: unknown;
    void history(after).then((told) => {
      answer = told;
    });
    await pass(100);
    return answer as { history: unknown; deliveries: { hostId: string }[]; next?: string };
  };
  const first = await settled();
  expect(first).toMatchObject({
    history: { created: { length: FOUR.length } },
    deliveries: [{ begunMs: 1 }],
  });
  expect(first.next).toBe(first.deliveries[0]?.hostId);
  const second = await settled(first.next);
  expect(second).toMatchObject({ deliveries: [{ begunMs: 2 }] });
  expect(second.next).toBe(undefined);
});

test('a log that cannot be read is said to be so', async () => {
  const { world, history } = scene();
  vi.spyOn(world.bus, 'readLog').mockRejectedValue(new Error('no jetstream'));
  expect(await history()).toEqual({ unread: 'ERR_INTERNAL', deliveries: [] });
});
