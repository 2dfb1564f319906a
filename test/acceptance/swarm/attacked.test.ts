import { closeSync, openSync, readSync, rmSync, statSync, writeFileSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { run, skewedBy } from '../../support/child.ts';
import { dataFiles, digestOfFile, MIB } from '../../support/files.ts';
import { getOnEach, note, openScene, type Scene, SLOW } from './scene.ts';

/*
 * What somebody would do to a swarm who did not build it, in mid-download: kill and stop its processes, turn its clocks,
 * damage what it keeps, fill its disks.
 */
const FOUR = ['peer1', 'peer2', 'peer3', 'peer4'];
const SIZE = 96 * MIB;
/** Told, since where nothing is said it is a share of the disk as it was at the start. */
const CACHE = ['--cache-size', '1GB'];
const open = () => openScene({ hostFlags: [...SLOW, ...CACHE], bytes: SIZE, seed: false });

test('each process is killed and started again, one after the other: all gets end right', async () => {
  const scene = await open();
  const gets = getOnEach(scene, FOUR);
  const victims = ['peer1', 'scheduler', 'peer2', 'nats', 'peer3', 'peer4'];
  for (const [index, name] of victims.entries()) {
    await scene.swarm.holds('peer1', SIZE * (0.2 + 0.1 * index));
    await scene.swarm.kill(name);
    scene.swarm.start(name);
  }
  await scene.allRight(gets);
  expect(scene.copies()).toBeLessThanOrEqual(1.3);
});

test.each(['scheduler', 'nats'])('%s is stopped and never goes on: all gets end right', async (name) => {
  const scene = await open();
  const gets = getOnEach(scene, FOUR);
  await scene.swarm.holds('peer1', SIZE * 0.3);
  scene.swarm.signal(name, 'SIGSTOP');
  await scene.allRight(gets);
  expect(scene.copies()).toBeLessThanOrEqual(1.3);
});

test('a host is stopped and goes on later: its own get ends right too, and nothing is read twice', async () => {
  const scene = await open();
  const gets = getOnEach(scene, FOUR);
  await scene.swarm.holds('peer4', SIZE * 0.3);
  scene.swarm.signal('peer4', 'SIGSTOP');
  await scene.swarm.holds('peer1', SIZE * 0.8);
  scene.swarm.signal('peer4', 'SIGCONT');
  await scene.allRight(gets);
  expect(scene.copies()).toBeLessThanOrEqual(1.3);
});

test('two hosts whose clocks are wrong, and then neither NATS nor a scheduler', async () => {
  const scene = await open();
  for (const [name, ms] of [
    ['peer2', -3_600_000],
    ['peer3', 90_000_000],
  ] as const) {
    await scene.swarm.stop(name);
    scene.swarm.start(name, skewedBy(ms));
    await scene.swarm.ready(name);
  }
  const gets = getOnEach(scene, FOUR);
  await scene.swarm.holds('peer1', SIZE * 0.3);
  await Promise.all([scene.swarm.kill('nats'), scene.swarm.kill('scheduler')]);
  await scene.allRight(gets);
  expect(scene.copies()).toBeLessThanOrEqual(1.5);
});

/** Changes a byte in each MiB that is there. */
function damage(scene: Scene, host: string): void {
  for (const path of dataFiles(scene.swarm.dirOf(host))) {
    const file = openSync(path, 'r+');
    const byte = Buffer.alloc(1);
    for (let at = 1_000; at < statSync(path).size; at += MIB) {
      readSync(file, byte, 0, 1, at);
      // What is not there yet is read as zero.
      if (byte[0] !== 0) writeSync(file, Buffer.from([(byte[0] ?? 0) ^ 0x5a]), 0, 1, at);
    }
    closeSync(file);
  }
}

test('bytes are changed in the cache of a parent: everybody is given the right ones, the parent’s client too', async () => {
  const scene = await open();
  const gets = getOnEach(scene, FOUR);
  await scene.swarm.holds('peer1', SIZE * 0.4);
  damage(scene, 'peer1');
  await scene.allRight(gets);
  const again = scene.get('peer1');
  await scene.allRight(new Map([['peer1', again]]));
  expect(scene.copies()).toBeLessThanOrEqual(1.3);
});

/** Gives a host a disk of its own, and it forgets what it had. */
async function onSmallDisk(scene: Scene, host: string, size: string): Promise<string> {
  const dir = scene.swarm.dirOf(host);
  await scene.swarm.stop(host);
  rmSync(dir, { recursive: true, force: true });
  await run(['mkdir', '-p', dir]);
  await run(['mount', '-t', 'tmpfs', '-o', `size=${size}`, 'tmpfs', dir]);
  onTestFinished(async () => {
    await run(['umount', '-l', dir]);
  });
  scene.swarm.start(host);
  await scene.swarm.ready(host);
  return dir;
}

test('a disk that somebody else fills in mid-download is named, and good again when there is room', async () => {
  const scene = await open();
  const dir = await onSmallDisk(scene, 'peer2', '110m');
  const gets = getOnEach(scene, FOUR);
  await scene.swarm.holds('peer2', SIZE * 0.3);
  const junk = join(dir, 'junk');
  try {
    writeFileSync(junk, Buffer.alloc(80 * MIB, 1));
  } catch {
    // It took what there was.
  }
  const filled = await gets.get('peer2')?.done;
  gets.delete('peer2');
  note(`the filled disk: exit code ${filled?.code}, ${filled?.stderr.trim().split('\n').at(-1)}`);
  expect(filled?.code).toBeGreaterThan(0);
  expect(filled?.stderr).toMatch(/ERR_STORE_FULL/);
  await scene.allRight(gets);
  rmSync(junk);
  const [outcome] = await scene.allRight(new Map([['peer2', scene.get('peer2')]]));
  note(`kept ${((outcome?.result?.bytes.local ?? 0) / MIB).toFixed(0)} MiB`);
  expect(await digestOfFile(scene.outputOf('peer2'))).toBe(scene.digest);
  expect(scene.copies()).toBeLessThanOrEqual(1.3);
});
