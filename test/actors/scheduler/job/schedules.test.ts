import { expect, test } from 'vitest';
import { jobScene, MINUTE_MS, preheat } from './scene.ts';

test('a schedule fires once each time, though there are two schedulers and both die now and then', async () => {
  const { sim, jobs, settled, ended } = await jobScene({ hosts: 1, schedulers: 2 });
  const { job } = await settled(jobs.create(preheat({ schedule: { cron: '* * * * *' } })));
  expect(job).toMatchObject({ state: 'running', schedule: { fired: 0 } });
  await sim.run(2 * MINUTE_MS);
  sim.scheduler.restart();
  await sim.run(MINUTE_MS);
  sim.rival.restart();
  await sim.run(2 * MINUTE_MS);
  const { rows } = await settled(jobs.list({ parent: job.id }));
  expect(rows).toHaveLength(5);
  expect(rows.every(({ state, request }) => state === 'succeeded' && request.schedule === undefined)).toBe(
    true,
  );
  const minutes = rows.map(({ createdAtMs }) => Math.floor(createdAtMs / MINUTE_MS));
  expect(new Set(minutes).size).toBe(5);
  const now = await settled(jobs.show(job.id));
  expect(now.schedule).toMatchObject({ fired: 5, lastJob: rows[0]?.id });
  expect((await settled(jobs.list({ scheduled: true }))).rows.map(({ id }) => id)).toEqual([job.id]);
  expect((await settled(jobs.cancel(job.id))).state).toBe('cancelled');
  await sim.run(2 * MINUTE_MS);
  expect((await settled(jobs.list({ parent: job.id }))).rows).toHaveLength(5);
  expect(await ended(job.id)).toMatchObject({ state: 'cancelled' });
});

test('firings that were missed by long are not made up for; the next one comes', async () => {
  const { sim, jobs, settled } = await jobScene({ hosts: 1 });
  const { job } = await settled(jobs.create(preheat({ schedule: { cron: '*/10 * * * *' } })));
  sim.scheduler.crash();
  // All that time nobody is there.
  sim.scheduler.skewMs = 3 * 60 * MINUTE_MS;
  sim.scheduler.start();
  await sim.run(2 * MINUTE_MS);
  expect((await settled(jobs.list({ parent: job.id }))).rows).toEqual([]);
  await sim.run(11 * MINUTE_MS);
  expect((await settled(jobs.list({ parent: job.id }))).rows.length).toBeGreaterThan(0);
});
