import { afterEach, expect, test } from 'vitest';
import { SchedulerQuery } from '../../actors/scheduler/query.ts';
import { TaskTable } from '../../actors/scheduler/task-table.ts';
import type { SchedulerWorld } from '../../actors/scheduler/world.ts';
import { realClock } from '../../app/real-world.ts';
import { swarmQueries } from '../../app/swarm-query.ts';
import type { TaskId } from '../../core/ids.ts';
import type { Bus } from '../../transport/bus.ts';
import { createMemoryHub } from '../../transport/memory-bus.ts';
import { connectNatsBus } from '../../transport/nats-bus.ts';
import { SUBJECTS } from '../../transport/subjects.ts';
import { alive, schedulerScene } from '../actors/scheduler/scene.ts';
import { hostId, seeded } from '../scheduling/world.ts';
import { startNats } from '../support/nats-server.ts';

const open: { stop(): unknown }[] = [];
afterEach(async () => {
  for (const each of open.splice(0).reverse()) await each.stop();
});

const TASKS = 20_000;
const HOSTS = 3_000;
const taskAt = (index: number) => `url-${index.toString(16).padStart(64, '0')}` as TaskId;
const ids = <Id>(count: number, idAt: (index: number) => Id) =>
  Array.from({ length: count }, (_, i) => idAt(i));

/** A scheduler that has heard of these hosts, each of which holds these tasks. */
function scheduler(bus: Bus, number: number, hosts: readonly number[], tasks: readonly number[]) {
  const { world } = schedulerScene();
  for (const host of hosts) world.hosts.hear(hostId(host), alive('normal'), realClock.now());
  for (const task of tasks) {
    for (let host = 0; host < number; host += 1)
      world.holdings.set(taskAt(task), hostId(host), 'complete', 'public');
  }
  serve(world, bus);
}

/** Answers for what is known, whoever owns it. */
function serve(world: SchedulerWorld, bus: Bus): void {
  const query = new SchedulerQuery(world, new TaskTable({ world, onEpoch: () => {} }), () => ({}));
  const serving = bus.serve(SUBJECTS.query, {}, (asked, { noun }) => query.answer(noun, asked));
  open.push({ stop: () => serving.close() });
}

const from = (first: number, end: number) => ids(end - first, (index) => first + index);

/** Two schedulers that know other halves, and a bit of the same; of task 0 one knows 3,000 holders. */
async function expectAll(busOf: (name: string) => Promise<Bus>): Promise<void> {
  scheduler(await busOf('scheduler-1'), 1, from(0, 2_000), from(0, 12_000));
  scheduler(await busOf('scheduler-2'), 2, from(1_000, HOSTS), from(11_000, TASKS));
  const swarm = swarmQueries(await busOf('cli'));
  await expect.poll(() => swarm.tasks().catch(() => [])).toHaveLength(TASKS);
  const rows = await swarm.tasks();
  expect(rows.map(({ taskId }) => taskId)).toEqual(ids(TASKS, taskAt));
  expect([rows[10_999]?.holders, rows[11_000]?.holders]).toEqual([1, 2]);
  expect((await swarm.tasks(1_234)).map(({ taskId }) => taskId)).toEqual(ids(1_234, taskAt));
  const hosts = await swarm.hosts();
  expect(hosts.map((row) => row.hostId)).toEqual(ids(HOSTS, hostId));
  expect(await swarm.hosts(7)).toHaveLength(7);
}

test('all of 20,000 tasks and 3,000 hosts are listed, page by page, from two schedulers', async () => {
  const hub = createMemoryHub({ clock: realClock, random: seeded(1) });
  await expectAll(async (name) => hub.bus(name));
});

test('so they are over a real nats-server', async () => {
  const nats = await startNats({ jetstream: false });
  open.push({ stop: () => nats[Symbol.asyncDispose]() });
  await expectAll(async (name) => {
    const bus = connectNatsBus({ servers: [nats.url], name, swarm: 'shoal' });
    open.push({ stop: () => bus.close() });
    await expect.poll(() => bus.state).toBe('connected');
    return bus;
  });
});

test('a task of 3,000 hosts is shown with all of them', async () => {
  const hub = createMemoryHub({ clock: realClock, random: seeded(1) });
  const { world } = schedulerScene();
  for (let host = 0; host < HOSTS; host += 1)
    world.holdings.set(taskAt(0), hostId(host), 'complete', 'public');
  serve(world, hub.bus('scheduler'));
  const { peers, holders } = await swarmQueries(hub.bus('cli')).task(taskAt(0));
  expect(peers.map((row) => row.hostId)).toEqual(ids(HOSTS, hostId));
  expect(holders).toBe(HOSTS);
});
