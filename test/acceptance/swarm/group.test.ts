import { expect, onTestFinished, test } from 'vitest';
import { PARTITIONS } from '../../../core/ids.ts';
import { connectNatsBus } from '../../../transport/nats-bus.ts';
import { SUBJECTS } from '../../../transport/subjects.ts';
import { skewedBy, until } from '../../support/child.ts';
import { ALL, inMidDownload, schedulers, shared } from './group-scene.ts';
import { note, openScene, SLOW } from './scene.ts';

const HOUR_MS = 3_600_000;

test('two schedulers share the partitions; kill -9 of the newer one: the gets end right', async () => {
  const scene = await openScene({ hostFlags: SLOW, schedulers: 2 });
  const { swarm } = scene;
  // The one that was there first serves all until the other has taken its part.
  await until('both to have a fair part', async () => {
    const rows = await shared(swarm, 2);
    return rows.every(({ partitions }) => partitions.length > PARTITIONS / 8) || undefined;
  });
  await inMidDownload(scene, async () => {
    await swarm.kill('scheduler2');
    await shared(swarm, 1);
  });
  expect(scene.copies()).toBeLessThanOrEqual(1.1);
});

test('three schedulers: SIGTERM of each in turn, started again, hands over without a gap', async () => {
  const scene = await openScene({ hostFlags: SLOW, schedulers: 3 });
  const { swarm } = scene;
  await shared(swarm, 3);
  await inMidDownload(scene, async () => {
    for (const name of ['scheduler', 'scheduler2', 'scheduler3']) {
      await swarm.stop(name);
      await shared(swarm, 2);
      swarm.start(name);
      await shared(swarm, 3);
    }
  });
  expect(scene.copies()).toBeLessThanOrEqual(1.05);
});

test('three schedulers: kill -9 of two at once, one of them started again', async () => {
  const scene = await openScene({ hostFlags: SLOW, schedulers: 3 });
  const { swarm } = scene;
  await shared(swarm, 3);
  await inMidDownload(scene, async () => {
    await Promise.all([swarm.kill('scheduler'), swarm.kill('scheduler3')]);
    swarm.start('scheduler');
    await shared(swarm, 2);
  });
  expect(scene.copies()).toBeLessThanOrEqual(1.1);
});

test('a scheduler whose clock is an hour ahead, then right, is believed before and after', async () => {
  const scene = await openScene({ hostFlags: SLOW });
  const { swarm } = scene;
  await swarm.kill('scheduler');
  swarm.start('scheduler', skewedBy(HOUR_MS));
  const [wrong] = await shared(swarm, 1);
  expect(wrong?.epoch).toBeGreaterThan(Date.now() + HOUR_MS / 2);
  await inMidDownload(scene, async () => {
    await swarm.kill('scheduler');
    swarm.start('scheduler');
    const [right] = await shared(swarm, 1);
    expect(right?.epoch).toBeGreaterThan(wrong?.epoch ?? 0);
  });
  expect(scene.copies()).toBeLessThanOrEqual(1.1);
});

test('a forged census of a huge epoch is outbid within seconds', async () => {
  const scene = await openScene({ hostFlags: SLOW, schedulers: 2 });
  const { swarm } = scene;
  await shared(swarm, 2);
  const bus = connectNatsBus({ servers: [swarm.natsUrl], name: 'forger', swarm: 'shoal' });
  onTestFinished(() => bus.close());
  await until('the forger to be connected', () => bus.state === 'connected' || undefined);
  const epoch = Date.now() + 20 * HOUR_MS;
  await inMidDownload(scene, async () => {
    bus.publish(SUBJECTS.census, {}, { epoch, partitions: ALL, schedulerKeys: [] });
    const forgedMs = performance.now();
    await until('the task’s partition to be claimed above it', async () => {
      const rows = await schedulers(swarm);
      return rows.some((row) => row.epoch > epoch) || undefined;
    });
    note(`outbid after ${Math.round(performance.now() - forgedMs)} ms`);
  });
  await shared(swarm, 2);
  expect(scene.copies()).toBeLessThanOrEqual(1.1);
});
