import { expect, test } from 'vitest';
import type { JobRequestInput } from '../../../../core/jobs.ts';
import { type JobScene, jobScene, MINUTE_MS, URL_A } from './scene.ts';

const pin = (more: Partial<JobRequestInput> = {}): JobRequestInput => ({
  kind: 'pin',
  what: [URL_A],
  pin: { copies: 2 },
  ...more,
});

/** Hosts of the swarm, by index, that never evict something. */
function keepers({ sim }: JobScene): number[] {
  return sim.hosts.flatMap(({ store, running }, index) =>
    running && [...store.rows()].some(({ taskId, complete }) => complete && store.isKept(taskId))
      ? index
      : [],
  );
}

test('a pin holds so many copies, and goes on', async () => {
  const scene = await jobScene();
  const { sim, jobs, settled, ended, hosts } = scene;
  const { job } = await settled(jobs.create(pin()));
  const held = await ended(job.id, MINUTE_MS, ({ progress }) => progress.succeeded === 2);
  expect(held).toMatchObject({ state: 'running', progress: { hosts: 2 } });
  expect((await hosts(job.id)).map(({ state }) => state)).toEqual(['pinned', 'pinned']);
  expect(keepers(scene)).toHaveLength(2);
  await sim.run(6 * MINUTE_MS);
  const later = await settled(jobs.show(job.id));
  expect(later).toMatchObject({ state: 'running', progress: { hosts: 2, succeeded: 2 } });
  // It is looked after now and then, though nothing is amiss.
  expect(later.attempt).toBeGreaterThan(held.attempt);
  expect(later.attempt).toBeLessThan(10);
});

test('where a host is gone for good, another copy comes by itself; who comes back is let go', async () => {
  const scene = await jobScene();
  const { sim, jobs, settled, ended, hosts } = scene;
  const { job } = await settled(jobs.create(pin()));
  await ended(job.id, MINUTE_MS, ({ progress }) => progress.succeeded === 2);
  const [gone = -1, other = -1] = keepers(scene);
  sim.hosts[gone]?.crash();
  await sim.run(MINUTE_MS);
  const after = keepers(scene);
  expect(after).toHaveLength(2);
  expect(after).toContain(other);
  const rows = await hosts(job.id);
  expect(rows.map(({ state }) => state).sort()).toEqual(['lost', 'pinned', 'pinned']);
  expect(rows.find(({ state }) => state === 'lost')?.hostId).toBe(sim.hosts[gone]?.hostId);
  await sim.hosts[gone]?.restart();
  await sim.run(6 * MINUTE_MS);
  expect(keepers(scene)).toHaveLength(2);
  expect((await hosts(job.id)).map(({ state }) => state)).toEqual(['pinned', 'pinned']);
});

test('a host that is away for a moment costs nothing', async () => {
  const scene = await jobScene();
  const { sim, jobs, settled, ended } = scene;
  const { job } = await settled(jobs.create(pin()));
  await ended(job.id, MINUTE_MS, ({ progress }) => progress.succeeded === 2);
  const before = keepers(scene);
  sim.hosts[before[0] ?? 0]?.cutBus(true);
  await sim.run(10_000);
  sim.hosts[before[0] ?? 0]?.cutBus(false);
  await sim.run(MINUTE_MS);
  expect(keepers(scene)).toEqual(before);
});

test('a pin that wants more than there is says so, and is filled when more comes', async () => {
  const { sim, jobs, settled, ended, hosts } = await jobScene();
  sim.hosts[3]?.crash();
  await sim.run(10_000);
  const { job } = await settled(jobs.create(pin({ pin: { copies: 4 } })));
  const short = await ended(job.id, MINUTE_MS, ({ error }) => error !== undefined);
  expect(short).toMatchObject({
    state: 'running',
    error: { code: 'ERR_PIN_SHORT', message: 'only 3 of 4 copies' },
  });
  await sim.hosts[3]?.restart();
  const filled = await ended(job.id, MINUTE_MS, ({ error }) => error === undefined);
  expect(filled).toMatchObject({ state: 'running', progress: { succeeded: 4 } });
  expect(await hosts(job.id)).toHaveLength(4);
});

test('a pin ends at its date, or when it is cancelled: nothing is kept any more', async () => {
  const scene = await jobScene();
  const { sim, jobs, settled, ended, told } = scene;
  const untilMs = sim.clock.wall() + MINUTE_MS;
  const dated = await settled(jobs.create(pin({ pin: { copies: 2, untilMs } })));
  const open = await settled(jobs.create(pin({ pin: { copies: 4 } })));
  await ended(open.job.id, MINUTE_MS, ({ progress }) => progress.succeeded === 4);
  expect((await ended(dated.job.id)).state).toBe('succeeded');
  expect(sim.clock.wall()).toBeGreaterThanOrEqual(untilMs);
  expect(told(dated.job.id)).toEqual(['job.accepted', 'job.succeeded']);
  expect(keepers(scene)).toHaveLength(4);
  await settled(jobs.cancel(open.job.id));
  expect((await ended(open.job.id)).state).toBe('cancelled');
  expect(keepers(scene)).toEqual([]);
  for (const { store } of sim.hosts) expect(store.usage.tasks).toBe(1);
});

test('what a pin keeps is not given up, neither by an evict nor by the removal of the task', async () => {
  const scene = await jobScene();
  const { sim, jobs, settled, ended, hosts } = scene;
  const { job } = await settled(jobs.create(pin({ pin: { copies: 1 } })));
  await ended(job.id, MINUTE_MS, ({ progress }) => progress.succeeded === 1);
  const evict = await settled(jobs.create({ kind: 'evict', what: [URL_A], targets: { role: 'any' } }));
  expect(await ended(evict.job.id)).toMatchObject({ state: 'failed', progress: { succeeded: 3, failed: 1 } });
  const [row] = (await hosts(evict.job.id)).filter(({ state }) => state === 'failed');
  expect(row?.failures).toMatchObject([{ code: 'ERR_TASK_PINNED' }]);
  expect(keepers(scene)).toHaveLength(1);
  expect(sim.hosts.filter(({ store }) => store.usage.tasks > 0)).toHaveLength(1);
});
