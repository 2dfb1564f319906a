import { expect, test, vi } from 'vitest';
import { z } from 'zod';
import { swarmQueries } from '../../../app/swarm-query.ts';
import type { Bus, RequestSubject } from '../../../transport/bus.ts';
import { SUBJECTS } from '../../../transport/subjects.ts';
import { codeOf } from '../../transport/bus-contract.ts';
import { closedNats, HOST, OTHER_HOST, SCHEDULER } from './closed-nats.ts';

const any = z.unknown();
const TASK = `sha256-${'0'.repeat(64)}`;
/** A subject of which only the name matters here. */
type Loose = RequestSubject<Record<string, string>, unknown, unknown>;
const loose = ({ template, sender }: { template: string; sender: string }): Loose => ({
  kind: 'request',
  template,
  sender,
  message: any,
  reply: any,
});

test('each role does its work on a closed NATS, and is told at once what it may not', async () => {
  await using closed = await closedNats('nkeys', 'each');
  const host = await closed.bus(HOST, 'host', HOST);
  const scheduler = await closed.bus('scheduler', 'scheduler', SCHEDULER);
  const monitor = await closed.bus('monitor', 'client', 'monitor');
  const operator = await closed.bus('alice', 'client', 'alice');
  const gateway = await closed.bus('gateway', 'client', 'gateway');
  const within = { timeoutMs: 5_000 };
  const [sync, resolve, announce] = [loose(SUBJECTS.sync), loose(SUBJECTS.resolve), loose(SUBJECTS.announce)];
  for (const subject of [sync, resolve, announce]) scheduler.serve(subject, {}, () => 'done');
  scheduler.serve(SUBJECTS.query, {}, () => ({ tasks: [], hosts: [] }));
  const removed: string[] = [];
  scheduler.serve(SUBJECTS.remove, {}, (_, { taskId, sender }) => {
    removed.push(`${sender} ${taskId}`);
    return { hosts: 2, known: true };
  });
  const heard: string[] = [];
  scheduler.subscribe(SUBJECTS.holds, {}, (_, { hostId }) => heard.push(`holds ${hostId}`));
  host.subscribe(SUBJECTS.census, {}, () => heard.push('census'));
  host.subscribe(SUBJECTS.evict, { hostId: HOST }, () => heard.push('evict'));
  monitor.subscribeEvents((subject) => heard.push(subject));
  host.serve(loose(SUBJECTS.fetch), { hostId: HOST }, (_, { sender }) => `taken from ${sender}`);

  // Round trips: what is served is in force.
  const record = { partition: '1', taskId: 't' };
  await scheduler.append(SUBJECTS.logRetired, record, { epoch: 1, atMs: 0 });
  for (const bus of [host, monitor])
    await bus.gather(SUBJECTS.query, { noun: 'host', sender: bus.name }, { op: 'list' }, { waitMs: 100 });

  // Each asks what it may, and gets an answer or a refusal: nothing waits for its time limit.
  const mine = { partition: '1', taskId: 't', resourceId: 'r', hostId: HOST };
  for (const subject of [sync, resolve, announce]) {
    expect(await host.request(subject, mine, {}, within)).toBe('done');
    expect(await codeOf(host.request(subject, { ...mine, hostId: OTHER_HOST }, {}, within))).toBe(
      'ERR_BUS_DENIED',
    );
    expect(await codeOf(monitor.request(subject, mine, {}, within))).toBe('ERR_BUS_DENIED');
  }
  for (const bus of [host, monitor, operator, gateway]) expect(await swarmQueries(bus).tasks()).toEqual([]);

  const order = loose(SUBJECTS.fetch);
  const toHost = (bus: Bus) => bus.request(order, { hostId: HOST, sender: bus.name }, {}, within);
  expect(await toHost(scheduler)).toBe(`taken from ${scheduler.name}`);
  for (const bus of [host, monitor, operator, gateway])
    expect(await codeOf(toHost(bus))).toBe('ERR_BUS_DENIED');

  // Jobs: asked for by some, told of to all who may read, called for and done by schedulers alone.
  const [create, cancel, asked] = [
    loose(SUBJECTS.jobCreate),
    loose(SUBJECTS.jobCancel),
    loose(SUBJECTS.jobsAsk),
  ];
  for (const subject of [create, cancel, asked]) scheduler.serve(subject, {}, () => 'done', { queue: 'q' });
  await scheduler.readLog(SUBJECTS.logRetired, {});
  for (const bus of [operator, gateway]) {
    for (const subject of [create, cancel, asked])
      expect(await bus.request(subject, { sender: bus.name }, {}, within)).toBe('done');
    expect(await swarmQueries(bus).removeTask(TASK)).toEqual({ hosts: 2 });
  }
  expect(await monitor.request(asked, { sender: monitor.name }, {}, within)).toBe('done');
  for (const bus of [host, monitor]) {
    for (const subject of [create, cancel])
      expect(await codeOf(bus.request(subject, { sender: bus.name }, {}, within))).toBe('ERR_BUS_DENIED');
  }
  for (const bus of [host, monitor, scheduler])
    expect(await codeOf(swarmQueries(bus).removeTask(TASK))).toBe('ERR_BUS_DENIED');
  const done: string[] = [];
  const work = { kind: 'preheat', jobId: 'j' };
  const working = scheduler.work(SUBJECTS.job, { ackMs: 6_000, atOnce: 1 }, async (_, { jobId }) => {
    done.push(jobId);
  });
  expect(await scheduler.enqueue(SUBJECTS.job, work, {})).toBe(true);
  await vi.waitFor(() => expect(done).toEqual(['j']));
  // Told that it is done: the queue takes the same again.
  await vi.waitFor(async () => expect(await scheduler.enqueue(SUBJECTS.job, work, {})).toBe(true));
  working.close();
  for (const bus of [host, operator, gateway])
    expect(await codeOf(bus.enqueue(SUBJECTS.job, work, {}))).toBe('ERR_BUS_DENIED');

  // Headers of a job: a scheduler has whoever keeps them hand them to a host.
  const [over, headers] = [loose(SUBJECTS.handOver), loose(SUBJECTS.jobHeaders)];
  host.serve(headers, { hostId: HOST }, (_, { sender }) => `from ${sender}`);
  gateway.serve(over, { keeper: gateway.name }, () =>
    gateway.request(headers, { hostId: HOST, sender: gateway.name }, {}, within),
  );
  await swarmQueries(gateway).tasks();
  await host.gather(SUBJECTS.query, { noun: 'host', sender: HOST }, { op: 'list' }, { waitMs: 100 });
  const toGateway = { keeper: gateway.name, sender: scheduler.name };
  expect(await scheduler.request(over, toGateway, {}, within)).toBe('from gateway');
  for (const bus of [host, monitor, scheduler])
    expect(await codeOf(bus.request(headers, { hostId: HOST, sender: bus.name }, {}, within))).toBe(
      'ERR_BUS_DENIED',
    );
  expect(removed).toEqual([`alice ${TASK}`, `gateway ${TASK}`]);

  expect(await scheduler.readLog(SUBJECTS.logRetired, {})).toHaveLength(1);
  for (const bucket of ['directory', 'ownership', 'jobs', 'job-hosts'] as const) {
    const keys: string[] = [];
    const directory = scheduler.directory(bucket);
    const watching = directory.watch(({ key }) => keys.push(key));
    const revision = await directory.put('k', new Uint8Array([1]), 0);
    expect((await directory.get('k'))?.revision).toBe(revision);
    expect(await directory.entries()).toHaveLength(1);
    await vi.waitFor(() => expect(keys).toEqual(['k']));
    await directory.remove('k', revision);
    watching.close();
    for (const bus of [host, operator, gateway]) {
      expect(await codeOf(bus.directory(bucket).put('k', new Uint8Array(), 0))).toBe('ERR_BUS_DENIED');
    }
  }
  for (const bus of [host, operator, gateway, monitor]) {
    expect(await codeOf(bus.append(SUBJECTS.logRetired, record, { epoch: 1, atMs: 0 }))).toBe(
      'ERR_BUS_DENIED',
    );
  }

  const holds = { incarnation: 1, page: 0, pages: 1, tasks: [], gone: [] };
  host.publish(SUBJECTS.holds, { hostId: HOST, to: '1' }, holds);
  host.publish(SUBJECTS.holds, { hostId: OTHER_HOST, to: '1' }, holds);
  host.emit({ type: 'peer.joined', subject: `peer.joined.${HOST}.t`, body: {} });
  host.emit({ type: 'peer.joined', subject: `peer.joined.${OTHER_HOST}.t`, body: {} });
  const census = { epoch: 1, partitions: [], schedulerKeys: [] };
  scheduler.publish(SUBJECTS.census, {}, census);
  host.publish(SUBJECTS.census, {}, census);
  // The way to empty a cache that was open to every host and to the monitor.
  const evict = { taskId: TASK as never, reason: 'x' };
  for (const bus of [host, monitor, operator]) bus.publish(SUBJECTS.evict, { hostId: HOST }, evict);
  await vi.waitFor(() =>
    expect([host, monitor, operator].every(({ counters }) => counters.dropped > 0)).toBe(true),
  );
  scheduler.publish(SUBJECTS.evict, { hostId: HOST }, evict);
  await vi.waitFor(() => expect(heard).toContain('evict'));
  expect([...heard].sort()).toEqual(['census', 'evict', `holds ${HOST}`, `peer.joined.${HOST}.t`]);
});

test.each(['shared', 'each'] as const)(
  'a scheduler answers no host anywhere but in its own inbox, users %s',
  async (hostUsers) => {
    await using closed = await closedNats('nkeys', hostUsers);
    const scheduler = await closed.bus('scheduler', 'scheduler', SCHEDULER);
    const directory = scheduler.directory('directory');
    const revision = await directory.put('scheduler-key.a', new Uint8Array([1]), 0);
    const record = { partition: '1', taskId: 'others' };
    await scheduler.append(SUBJECTS.logRetired, record, { epoch: 7, atMs: 0 });
    const asked: string[] = [];
    const announce = loose(SUBJECTS.announce);
    scheduler.serve(announce, {}, (_, { hostId = '' }) => {
      asked.push(hostId);
      return { epoch: 99, atMs: 99 };
    });
    const query = loose(SUBJECTS.query);
    scheduler.serve(query, {}, () => ({ epoch: 99, atMs: 99 }));
    await scheduler.readLog(SUBJECTS.logRetired, {});

    const host = await closed.raw(hostUsers === 'each' ? HOST : 'host');
    const subjects = [`shoal.v1.host.${HOST}.announce`, `shoal.v1.query.task.${HOST}`];
    const elsewhere = [
      'shoal.v1.log.1.others.retired',
      '$KV.shoal-directory.scheduler-key.a',
      '$JS.API.STREAM.DELETE.shoal-tasks',
      'shoal.v1.census',
      `shoal.v1.host.${OTHER_HOST}.evict`,
      `_INBOX_SHOAL.host.${OTHER_HOST}.x`,
      `_INBOX_SHOAL.scheduler.${SCHEDULER}.x`,
      `_INBOX_SHOAL.host.${HOST}`,
      `_INBOX_SHOAL.other.${HOST}.x`,
      `_INBOX_SHOAL.host.${HOST}x.y`,
      `_INBOX.${HOST}.x`,
    ];
    const answers: string[] = [];
    host.subscribe(`_INBOX_SHOAL.host.${HOST}.>`, {
      callback: (_, { subject }) => void answers.push(subject),
    });
    const before = scheduler.counters.invalid;
    for (const subject of subjects) {
      for (const reply of elsewhere) host.publish(subject, new Uint8Array([0x80]), { reply });
    }
    for (const subject of subjects) {
      host.publish(subject, new Uint8Array([0x80]), { reply: `_INBOX_SHOAL.host.${HOST}.right.1` });
    }
    await vi.waitFor(() => expect(answers).toHaveLength(2));

    expect(asked).toEqual([HOST]);
    expect(scheduler.counters.invalid - before).toBe(subjects.length * elsewhere.length);
    const [entry] = await scheduler.readLog(SUBJECTS.logRetired, {});
    expect(entry).toEqual({ tokens: record, message: { epoch: 7, atMs: 0 } });
    expect((await directory.get('scheduler-key.a'))?.revision).toBe(revision);
  },
);
