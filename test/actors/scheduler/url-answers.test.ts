import { expect, test } from 'vitest';
import { composeScheduler } from '../../../actors/scheduler/compose-scheduler.ts';
import { partitionOf, schedulerIdFrom } from '../../../core/ids.ts';
import type { Probed } from '../../../core/probed.ts';
import { resourceIdOf, taskIdOfUrl } from '../../../core/source.ts';
import { SUBJECTS } from '../../../transport/subjects.ts';
import { hostId } from '../../scheduling/world.ts';
import { alive, PIECE, schedulerScene } from './scene.ts';

const URLS = Array.from({ length: 12 }, (_, index) => `http://origin.example/${index}`);
const probed: Probed = { length: 4 * PIECE, etag: '"1"', ranges: true, audience: 'public' };
const taskOf = (url: string) => taskIdOfUrl(url, { etag: '"1"', length: 4 * PIECE });

test('what the origin told a host is known to the owner of the task, whoever owns the URL', async () => {
  const { world, hub, pass } = schedulerScene();
  const schedulers = [1, 2].map((number) => {
    const schedulerId = schedulerIdFrom(new Uint8Array(8).fill(number));
    const bus = hub.bus(schedulerId);
    const scheduler = composeScheduler({ ...world, bus, schedulerId, keyId: `key-${number}` });
    scheduler.start();
    return scheduler;
  });
  await pass(4_000);
  const id = hostId(1);
  const bus = hub.bus(id);
  bus.publish(SUBJECTS.alive, { hostId: id }, alive('normal'));
  const owners = URLS.map((url) =>
    schedulers.findIndex((each) => each.epochOf(partitionOf(taskOf(url))) !== undefined),
  );
  const isElsewhere = URLS.map(
    (url, index) => schedulers[owners[index] ?? 0]?.epochOf(partitionOf(resourceIdOf(url))) === undefined,
  );
  expect(new Set(isElsewhere)).toEqual(new Set([true, false]));
  for (const url of URLS) {
    const resourceId = resourceIdOf(url);
    const tokens = { partition: String(partitionOf(resourceId)), resourceId, hostId: id };
    const asked = { incarnation: 1, ask: 1, url, credentials: false, mayReadOrigin: true, maxStaleMs: 0 };
    const outcome = { kind: 'found', taskId: taskOf(url), probed, readingBytes: PIECE } as const;
    for (const message of [asked, { ...asked, outcome }]) {
      const answered = bus.request(SUBJECTS.resolve, tokens, message, { timeoutMs: 1_000 });
      await pass(20);
      await answered;
    }
  }
  await pass(20);
  const count = (owner: number) => owners.filter((each) => each === owner).length;
  expect(schedulers.map(({ size }) => size.tasks)).toEqual([count(0), count(1)]);
});
