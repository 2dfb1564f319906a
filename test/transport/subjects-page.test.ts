import { readFile } from 'node:fs/promises';
import { expect, test, vi } from 'vitest';
import { z } from 'zod';
import { subjectsPage } from '../../scripts/docs-subjects.ts';
import type { RequestSubject } from '../../transport/bus.ts';
import { connectNatsBus } from '../../transport/nats-bus.ts';
import { SUBJECTS } from '../../transport/subjects.ts';
import { startNats } from '../support/nats-server.ts';
import { codeOf } from './bus-contract.ts';

const PAGE = new URL('../../docs/SUBJECTS.md', import.meta.url);
const HOST = '0123456789abcdef0123456789abcdef';
const SCHEDULER = '0123456789abcdef';
const any = z.unknown();
/** A subject of which only the name matters here. */
type Loose = RequestSubject<Record<string, string>, unknown, unknown>;

test('the page of subjects is in step with the code (npx tsx scripts/docs-subjects.ts --write)', async () => {
  expect(await readFile(PAGE, 'utf8')).toBe(subjectsPage());
});

test('the permissions of the page let each role do its work and nothing else', async () => {
  const config = /```conf\n([\s\S]*?)```/.exec(await readFile(PAGE, 'utf8'))?.[1] ?? '';
  await using nats = await startNats({ config });
  const join = (user: string, pass: string, name: string) =>
    connectNatsBus({ servers: nats.url, name, swarm: 'shoal', credentials: { user, pass } });
  const host = join('host', 'change-me-1', HOST);
  const scheduler = join('scheduler', 'change-me-2', SCHEDULER);
  const monitor = join('monitor', 'change-me-3', 'monitor');
  const operator = join('operator', 'change-me-4', 'cli-1');
  const buses = [host, scheduler, monitor, operator];
  try {
    await vi.waitFor(() => expect(buses.map(({ state }) => state)).toEqual(Array(4).fill('connected')));
    const within = { timeoutMs: 60_000 };
    const [sync, resolve, announce] = [SUBJECTS.sync, SUBJECTS.resolve, SUBJECTS.announce].map(
      ({ template }): Loose => ({ kind: 'request', template, message: any, reply: any }),
    ) as [Loose, Loose, Loose];
    for (const subject of [sync, resolve, announce]) scheduler.serve(subject, {}, () => 'done');
    scheduler.serve(SUBJECTS.query, {}, () => 'done');
    const heard: string[] = [];
    const census = { epoch: 1, partitions: [], schedulerKeys: [] };
    scheduler.subscribe(SUBJECTS.holds, {}, (_, { hostId }) => heard.push(`holds ${hostId}`));
    host.subscribe(SUBJECTS.census, {}, () => heard.push('census'));
    host.subscribe(SUBJECTS.evict, { hostId: HOST }, () => heard.push('evict'));
    monitor.subscribeEvents((subject) => heard.push(subject));

    // A round trip: what the scheduler serves is in force.
    await scheduler.append(SUBJECTS.logRetired, { partition: '1', taskId: 't' }, { epoch: 1, atMs: 0 });

    // Each asks what it may, and gets an answer or a refusal: nothing waits for its time limit.
    const mine = { partition: '1', taskId: 't', resourceId: 'r', hostId: HOST };
    for (const subject of [sync, resolve, announce]) {
      expect(await host.request(subject, mine, {}, within)).toBe('done');
      expect(await codeOf(host.request(subject, { ...mine, hostId: 'other' }, {}, within))).toBe(
        'ERR_BUS_DENIED',
      );
      expect(await codeOf(monitor.request(subject, mine, {}, within))).toBe('ERR_BUS_DENIED');
    }
    const query = { op: 'list' as const };
    for (const asker of [monitor, host]) {
      await vi.waitFor(async () => {
        const answers = await asker.gather(SUBJECTS.query, { noun: 'task' }, query, { waitMs: 100 });
        expect(answers).toEqual(['done']);
      });
    }

    host.serve({ ...SUBJECTS.fetch, message: any, reply: any }, { hostId: HOST }, () => 'accepted');
    const order: Loose = { kind: 'request', template: SUBJECTS.fetch.template, message: any, reply: any };
    await vi.waitFor(async () => {
      expect(await operator.request(order, { hostId: HOST }, {}, within)).toBe('accepted');
    });
    for (const other of [host, scheduler, monitor]) {
      expect(await codeOf(other.request(order, { hostId: HOST }, {}, within))).toBe('ERR_BUS_DENIED');
    }

    expect(await scheduler.readLog(SUBJECTS.logRetired, {})).toHaveLength(1);
    for (const bucket of ['directory', 'ownership'] as const) {
      const keys: string[] = [];
      const directory = scheduler.directory(bucket);
      const watching = directory.watch(({ key }) => keys.push(key));
      const revision = await directory.put('k', new Uint8Array([1]), 0);
      expect((await directory.get('k'))?.revision).toBe(revision);
      expect(await directory.entries()).toHaveLength(1);
      await vi.waitFor(() => expect(keys).toEqual(['k']));
      watching.close();
      expect(await codeOf(host.directory(bucket).put('k', new Uint8Array(), revision))).toBe(
        'ERR_BUS_DENIED',
      );
    }
    expect(
      await codeOf(host.append(SUBJECTS.logRetired, { partition: '1', taskId: 't' }, { epoch: 1, atMs: 0 })),
    ).toBe('ERR_BUS_DENIED');

    const holds = { incarnation: 1, page: 0, pages: 1, tasks: [], gone: [] };
    host.publish(SUBJECTS.holds, { hostId: HOST, partition: '1' }, holds);
    host.publish(SUBJECTS.holds, { hostId: 'other', partition: '1' }, holds);
    host.emit({ type: 'peer.joined', subject: `peer.joined.${HOST}.t`, body: {} });
    host.emit({ type: 'peer.joined', subject: 'peer.joined.other.t', body: {} });
    scheduler.publish(SUBJECTS.census, {}, census);
    host.publish(SUBJECTS.census, {}, census);
    const taskId = `sha256-${'0'.repeat(64)}` as never;
    scheduler.publish(SUBJECTS.evict, { hostId: HOST }, { taskId, reason: 'x' });
    await vi.waitFor(() => expect(host.counters.dropped).toBeGreaterThanOrEqual(3));
    await vi.waitFor(() => expect(heard).toContain('evict'));
    expect([...heard].sort()).toEqual(['census', 'evict', `holds ${HOST}`, `peer.joined.${HOST}.t`]);
  } finally {
    await Promise.all(buses.map((bus) => bus.close()));
  }
});
