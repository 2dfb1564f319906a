import { expect, test } from 'vitest';
import { LIMITS } from '../../../core/limits.ts';
import { MIB, storedBytes } from '../../support/files.ts';
import { note, openScene, SIZE, SLOW } from './scene.ts';

test('kill -9 of a daemon half-way and a start at once: its get goes on from every verified piece', async () => {
  const scene = await openScene({ hostFlags: SLOW });
  const { swarm } = scene;
  expect((await swarm.get('seed', scene.url).done).code).toBe(0);
  const sentBefore = (await swarm.status('seed')).bytes.sent;
  const get = scene.get('peer1');
  await swarm.holds('peer1', SIZE / 2);
  await swarm.kill('peer1');
  const onDisk = storedBytes(swarm.dirOf('peer1'));
  swarm.start('peer1');
  const [outcome] = await scene.allRight(new Map([['peer1', get]]));
  const bytes = outcome?.result?.bytes ?? { origin: 0, peers: 0, local: 0 };
  const sent = (await swarm.status('seed')).bytes.sent - sentBefore;
  const pieceBytes = SIZE / 512;
  const inFlight = LIMITS.slotsDown * pieceBytes;
  note(`on disk at the kill ${(onDisk / MIB).toFixed(1)} MiB, kept ${(bytes.local / MIB).toFixed(1)} MiB`);
  note(`the parent sent ${((sent - SIZE) / MIB).toFixed(1)} MiB more than the file has`);
  // A piece in flight may be on disk in part; everything before it is kept.
  expect(bytes.local).toBeGreaterThanOrEqual(onDisk - inFlight);
  expect(bytes.peers + bytes.origin).toBeLessThanOrEqual(SIZE - bytes.local + 4 * pieceBytes);
  expect(scene.copies()).toBeLessThanOrEqual(1.01);
});
