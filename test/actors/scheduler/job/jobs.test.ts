import { afterEach, expect, test, vi } from 'vitest';
import { jobsClient } from '../../../../actors/jobs/client.ts';
import type { JobRecord, JobRequestInput } from '../../../../core/jobs.ts';
import { MemoryWire } from '../../../../transport/memory-wire.ts';
import { SUBJECTS } from '../../../../transport/subjects.ts';
import { codeOf } from '../../../transport/bus-contract.ts';
import { jobScene, MIB, MINUTE_MS, preheat, URL_A } from './scene.ts';

afterEach(() => {
  vi.restoreAllMocks();
});

test('a preheat reaches every host that is meant, reads the origin once, and tells of each', async () => {
  const { sim, jobs, content, settled, ended, hosts, told } = await jobScene();
  const { job, created } = await settled(jobs.create(preheat()));
  expect({ created, state: job.state, by: job.by }).toEqual({
    created: true,
    state: 'accepted',
    by: 'cli-jobs',
  });
  const over = await ended(job.id);
  const length = content.bytes.length;
  expect(over).toMatchObject({
    state: 'succeeded',
    attempt: 1,
    items: 1,
    resolved: [URL_A],
    progress: { hosts: 4, succeeded: 4, failed: 0, length: 4 * length, doneBytes: 4 * length },
  });
  expect(over.error).toBeUndefined();
  const rows = await hosts(job.id);
  expect(rows.map(({ state, done, doneBytes }) => ({ state, done, doneBytes }))).toEqual(
    Array.from({ length: 4 }, () => ({ state: 'succeeded', done: 1, doneBytes: length })),
  );
  expect(rows.map(({ ip }) => ip).sort()).toEqual(sim.hosts.map(({ address }) => address.ip).sort());
  expect(rows.reduce((sum, { bytes }) => sum + bytes.origin, 0)).toBe(sim.origin.bodyBytes);
  expect(sim.origin.bodyBytes / length).toBe(1);
  expect(told(job.id)).toEqual(['job.accepted', 'job.succeeded']);
});

test('the same key is the same job, whoever answers; with another request it is refused', async () => {
  const { sim, jobs, settled, ended, told } = await jobScene({ schedulers: 2 });
  const options = { idempotencyKey: 'nightly' };
  const both = await settled(Promise.all([jobs.create(preheat(), options), jobs.create(preheat(), options)]));
  expect(new Set(both.map(({ job }) => job.id)).size).toBe(1);
  expect(both.filter(({ created }) => created)).toHaveLength(1);
  const [{ job }] = both;
  await ended(job.id);
  const again = await settled(jobs.create(preheat(), options));
  expect(again).toMatchObject({ created: false, job: { id: job.id, state: 'succeeded' } });
  await sim.run(MINUTE_MS);
  expect((await settled(jobs.show(job.id))).attempt).toBe(1);
  expect(told(job.id)).toEqual(['job.accepted', 'job.succeeded']);
  expect((await settled(jobs.list())).rows).toHaveLength(1);
  const other = preheat({ what: ['http://origin.test/other'] });
  expect(await settled(codeOf(jobs.create(other, options)))).toBe('ERR_JOB_CONFLICT');
});

test('a job whose scheduler dies at any step ends once, and what it tells is whole', async () => {
  /** Operations at the store of whoever works on the job, one of them each time its last. */
  let step = 0;
  for (let killed = true; killed; step += 1) {
    const { sim, jobs, content, settled, ended, hosts, told } = await jobScene({
      ...{ seed: 100 + step, length: MIB / 2, schedulers: 2 },
    });
    const { job } = await settled(jobs.create(preheat()));
    killed = false;
    let seen = 0;
    const stored = MemoryWire.prototype.stored;
    const spy = vi.spyOn(MemoryWire.prototype, 'stored').mockImplementation(function (this: MemoryWire, run) {
      const worker = [sim.scheduler, sim.rival].find(({ busName }) => busName === this.name);
      if (!killed && worker !== undefined && seen++ === step) {
        killed = true;
        worker.crash();
        sim.at(8_000, () => worker.start());
      }
      return stored.call(this, run) as never;
    });
    const over = await ended(job.id, 2 * MINUTE_MS);
    spy.mockRestore();
    const at = `step ${step}`;
    expect(over, at).toMatchObject({ state: 'succeeded', progress: { hosts: 4, succeeded: 4, failed: 0 } });
    expect(
      (await hosts(job.id)).map(({ state, done }) => `${state} ${done}`),
      at,
    ).toEqual(Array(4).fill('succeeded 1'));
    // Whoever takes a partition over asks the origin what is there, which gives all of so little.
    const { bodyBytes, probedBytes } = sim.origin;
    expect((bodyBytes - probedBytes) / content.bytes.length, at).toBeLessThan(1.3);
    await sim.run(10_000);
    expect((await settled(jobs.show(job.id))).attempt, at).toBe(over.attempt);
    expect(told(job.id).filter((type) => type === 'job.succeeded').length, at).toBeLessThanOrEqual(1);
  }
  expect(step).toBeGreaterThan(15);
}, 120_000);

test('what is cancelled in the middle goes on nowhere', async () => {
  const { sim, jobs, settled, ended, hosts, told } = await jobScene({
    linkBytesPerSec: MIB / 2,
    length: 8 * MIB,
  });
  const { job } = await settled(jobs.create(preheat()));
  await ended(job.id, MINUTE_MS, ({ progress }) => progress.doneBytes > MIB);
  expect(await settled(jobs.cancel(job.id))).toMatchObject({ id: job.id, cancelling: true });
  const over = await ended(job.id, 5_000);
  expect(over).toMatchObject({ state: 'cancelled', cancelling: false });
  expect((await hosts(job.id)).map(({ state }) => state)).toEqual(Array(4).fill('cancelled'));
  const { bodyBytes } = sim.origin;
  const held = () =>
    sim.hosts.map(({ store }) => [...store.rows()].reduce((sum, row) => sum + row.storedBytes, 0));
  await sim.run(2_000);
  const before = held();
  await sim.run(MINUTE_MS);
  expect(held()).toEqual(before);
  expect(sim.origin.bodyBytes - bodyBytes).toBeLessThan(MIB);
  expect(told(job.id)).toEqual(['job.accepted', 'job.cancelled']);
  expect((await settled(jobs.cancel(job.id))).state).toBe('cancelled');
});

test('what is cancelled while its scheduler is dead is ended by the next one', async () => {
  const { sim, jobs, settled, ended, told } = await jobScene({ linkBytesPerSec: MIB / 2, length: 8 * MIB });
  const { job } = await settled(jobs.create(preheat()));
  await ended(job.id, MINUTE_MS, ({ progress }) => progress.doneBytes > MIB);
  await settled(jobs.cancel(job.id));
  sim.scheduler.restart();
  expect(await ended(job.id)).toMatchObject({ state: 'cancelled' });
  const { bodyBytes } = sim.origin;
  await sim.run(MINUTE_MS);
  expect(sim.origin.bodyBytes - bodyBytes).toBeLessThan(MIB);
  expect(told(job.id).filter((type) => type === 'job.cancelled')).toHaveLength(1);
});

test('a job goes on while NATS is away, and ends when it is back', async () => {
  const { sim, jobs, settled, ended, hosts } = await jobScene({ linkBytesPerSec: MIB / 2, length: 4 * MIB });
  const { job } = await settled(jobs.create(preheat()));
  await ended(job.id, MINUTE_MS, ({ progress }) => progress.doneBytes > 0);
  sim.cutNats(true);
  await sim.run(5_000);
  sim.cutNats(false);
  expect(await ended(job.id)).toMatchObject({ state: 'succeeded', progress: { succeeded: 4 } });
  expect((await hosts(job.id)).every(({ state }) => state === 'succeeded')).toBe(true);
});

test('what a host cannot have is its failure, and that of the job; the others have it', async () => {
  const { sim, jobs, settled, ended, hosts } = await jobScene();
  const none = 'http://origin.test/none';
  const { job } = await settled(jobs.create(preheat({ what: [URL_A, none], targets: { count: 2 } })));
  const over = await ended(job.id);
  expect(over).toMatchObject({
    state: 'failed',
    error: { code: 'ERR_JOB_FAILED', message: '2 of 2 hosts failed' },
  });
  const rows = await hosts(job.id);
  expect(rows).toHaveLength(2);
  for (const row of rows)
    expect(row).toMatchObject({ state: 'failed', done: 1, failed: 1, failures: [{ resource: none }] });
  expect(sim.hosts.filter(({ store }) => store.usage.bytes > 0)).toHaveLength(2);
});

test('a job that means no host, or an image that nobody can look up, fails and says why', async () => {
  const { jobs, settled, ended } = await jobScene();
  const nowhere = await settled(jobs.create(preheat({ targets: { zone: 'nowhere' } })));
  expect(await ended(nowhere.job.id)).toMatchObject({
    state: 'failed',
    error: { code: 'ERR_HOST_NOT_FOUND' },
  });
  const image = await settled(jobs.create(preheat({ what: ['registry.test/team/app:v1'] })));
  expect(await ended(image.job.id)).toMatchObject({
    state: 'failed',
    error: { code: 'ERR_SOURCE_UNAVAILABLE', message: 'no registry here' },
  });
});

test('so many hosts at once as asked for, and no more', async () => {
  const { sim, jobs, settled, ended } = await jobScene({ linkBytesPerSec: MIB });
  const { job } = await settled(jobs.create(preheat({ concurrency: 1 })));
  let most = 0;
  sim.at(0, function look() {
    const busy = sim.hosts.filter(({ store }) => [...store.rows()].some(({ complete }) => !complete));
    most = Math.max(most, busy.length);
    sim.at(50, look);
  });
  expect(await ended(job.id)).toMatchObject({ state: 'succeeded' });
  expect(most).toBe(1);
});

test('an evict frees what is there, wherever it came from, and nothing else', async () => {
  const { sim, jobs, content, settled, ended, hosts } = await jobScene();
  sim.publish('http://origin.test/b', MIB);
  const both = await settled(jobs.create(preheat({ what: [URL_A, 'http://origin.test/b'] })));
  await ended(both.job.id);
  const { job } = await settled(jobs.create(preheat({ kind: 'evict' })));
  expect(await ended(job.id)).toMatchObject({
    state: 'succeeded',
    progress: { succeeded: 4, doneBytes: 4 * content.bytes.length },
  });
  expect((await hosts(job.id)).map(({ state }) => state)).toEqual(Array(4).fill('succeeded'));
  for (const { store } of sim.hosts) expect(store.usage).toMatchObject({ tasks: 1, bytes: MIB });
});

test('jobs are listed newest first, by the page, and found by the beginning of their id', async () => {
  const { sim, jobs, settled } = await jobScene();
  const made: JobRecord[] = [];
  for (let index = 0; index < 7; index += 1) {
    const kind = index % 2 === 0 ? 'preheat' : 'evict';
    made.unshift((await settled(jobs.create(preheat({ kind, targets: { count: 1 } })))).job);
    await sim.run(10);
  }
  await sim.run(1_000);
  const ids = (rows: readonly JobRecord[]) => rows.map(({ id }) => id);
  const first = await settled(jobs.list({ limit: 3 }));
  const second = await settled(jobs.list({ limit: 3, after: first.next as string }));
  const third = await settled(jobs.list({ limit: 3, after: second.next as string }));
  expect(ids([...first.rows, ...second.rows, ...third.rows])).toEqual(ids(made));
  expect(third.next).toBeUndefined();
  expect(ids((await settled(jobs.list({ kind: 'evict' }))).rows)).toEqual(
    ids(made.filter(({ kind }) => kind === 'evict')),
  );
  const [newest] = made;
  expect(await settled(jobs.show(newest?.id.slice(0, 12) as string))).toMatchObject({ id: newest?.id });
  expect(await settled(codeOf(jobs.show('0000')))).toBe('ERR_JOB_NOT_FOUND');
});

test('the hosts of a job come by the page, and those of one state alone', async () => {
  const { jobs, settled, ended } = await jobScene();
  const { job } = await settled(jobs.create(preheat()));
  await ended(job.id);
  const first = await settled(jobs.hosts(job.id, { limit: 3 }));
  const rest = await settled(jobs.hosts(job.id, { limit: 3, after: first.next as string }));
  expect([first.rows.length, rest.rows.length, rest.next]).toEqual([3, 1, undefined]);
  expect(new Set([...first.rows, ...rest.rows].map(({ hostId }) => hostId)).size).toBe(4);
  expect((await settled(jobs.hosts(job.id, { state: 'failed' }))).rows).toEqual([]);
});

test('whoever watches sees it go on to its end', async () => {
  const { sim, jobs, settled } = await jobScene({ linkBytesPerSec: MIB });
  const { job } = await settled(jobs.create(preheat()));
  const seen: JobRecord[] = [];
  const watching = (async () => {
    for await (const now of jobs.watch(job.id)) seen.push(now);
  })();
  await settled(watching);
  expect(seen.at(-1)?.state).toBe('succeeded');
  const bytes = seen.map(({ progress }) => progress.doneBytes);
  expect(bytes).toEqual([...bytes].sort((a, b) => a - b));
  expect(new Set(bytes).size).toBeGreaterThan(3);
  expect(sim.clock.now()).toBeGreaterThan(0);
});

test('whoever watches bears with a scheduler that is away, though not for ever', async () => {
  const { sim, jobs, settled } = await jobScene({ linkBytesPerSec: MIB });
  const { job } = await settled(jobs.create(preheat()));
  sim.scheduler.crash();
  const watch = async () => {
    let last: JobRecord | undefined;
    for await (const now of jobs.watch(job.id)) last = now;
    return last?.state;
  };
  const lasting = watch();
  await sim.run(10_000);
  sim.scheduler.start();
  expect(await settled(lasting)).toBe('succeeded');
  sim.scheduler.crash();
  expect(await settled(codeOf(watch()), MINUTE_MS)).toBe('ERR_BUS_NO_RESPONDERS');
});

test('jobs that are over go after a week, with what they tell of their hosts', async () => {
  const { sim, jobs, settled, ended } = await jobScene({ hosts: 1 });
  const { job } = await settled(jobs.create(preheat()));
  await ended(job.id);
  const bucket = sim.place.hub.bus('looking').directory('job-hosts');
  expect(await settled(bucket.entries())).toHaveLength(1);
  sim.scheduler.skewMs = 8 * 24 * 60 * MINUTE_MS;
  sim.scheduler.restart();
  await sim.run(20_000);
  expect(await settled(codeOf(jobs.show(job.id)))).toBe('ERR_JOB_NOT_FOUND');
  expect(await settled(bucket.entries())).toEqual([]);
});

test('a job that the queue has lost is put there again', async () => {
  const { sim, jobs, settled, ended } = await jobScene();
  const enqueue = vi.spyOn(MemoryWire.prototype, 'enqueue').mockRejectedValueOnce(new Error('lost'));
  const { job } = await settled(jobs.create(preheat()));
  expect(enqueue).toHaveBeenCalledTimes(1);
  expect(await ended(job.id, 2 * MINUTE_MS)).toMatchObject({ state: 'succeeded' });
  expect(sim.origin.requests.length).toBeGreaterThan(0);
});

test('a request that is none is refused before it is sent, and by whoever gets it', async () => {
  const { sim, jobs, settled } = await jobScene({ hosts: 1 });
  const wrong: JobRequestInput = { kind: 'preheat', what: ['http://me:secret@origin.test/a'] };
  await expect(jobs.create(wrong)).rejects.toMatchObject({ code: 'ERR_CONFIG_INVALID' });
  await expect(jobs.create(preheat({ pin: { copies: 2 } }))).rejects.toMatchObject({
    code: 'ERR_CONFIG_INVALID',
  });
  const cron = preheat({ schedule: { cron: 'soon' } });
  expect(await settled(codeOf(jobs.create(cron)))).toBe('ERR_CONFIG_INVALID');
  const bus = sim.place.hub.bus('raw');
  const raw = bus.request(
    { ...SUBJECTS.jobCreate, message: SUBJECTS.jobCancel.message as never },
    { sender: 'raw' },
    { request: wrong, idempotencyKey: 'x' } as never,
    { timeoutMs: 1_000 },
  );
  expect(await settled(codeOf(raw))).toBe('ERR_BUS_MESSAGE_INVALID');
  expect(jobsClient({ bus, clock: sim.clock, random: sim.random })).toBeDefined();
});
