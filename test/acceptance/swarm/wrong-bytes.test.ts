import { closeSync, openSync, readFileSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { SHOAL, startChild, until } from '../../support/child.ts';
import { dataFiles, digestOfFile, MIB } from '../../support/files.ts';
import { getOnEach, note, openScene, SIZE } from './scene.ts';

interface Rejection {
  readonly hostId: string;
  readonly parent: string;
  readonly piece: number;
}

/** The rejections among events as `shoal events --json` prints them, one a line. */
function rejections(log: string): Rejection[] {
  return log
    .split('\n')
    .filter((line) => line.startsWith('{'))
    .map((line) => JSON.parse(line) as { type: string; data: Rejection })
    .filter((event) => event.type.endsWith('piece.rejected'))
    .map((event) => event.data);
}

test('what a lying parent sends is refused by every host, told as an event, and fetched elsewhere', async () => {
  const scene = await openScene();
  const { swarm } = scene;
  const eventLog = join(scene.dir, 'events.log');
  const listener = startChild([...SHOAL, 'events', '--nats', swarm.natsUrl, '--json'], eventLog);
  try {
    expect((await swarm.get('seed', scene.url).done).code).toBe(0);
    const log = () => readFileSync(eventLog, 'utf8');
    await until('the first event', () => log().includes('peer.completed') || undefined);
    const [data = ''] = dataFiles(swarm.dirOf('seed'));
    const file = openSync(data, 'r+');
    const noise = Buffer.alloc(4096, 0x5a);
    for (let at = MIB; at < SIZE; at += 16 * MIB) writeSync(file, noise, 0, noise.length, at);
    closeSync(file);

    const hosts = ['peer1', 'peer2', 'peer3', 'peer4'];
    await scene.allRight(getOnEach(scene, hosts));

    const seedId = (await swarm.status('seed')).hostId;
    await until('the event of a rejected piece', () => rejections(log()).length > 0 || undefined);
    const told = rejections(log());
    note(`${told.length} pieces refused, ${new Set(told.map((one) => one.piece)).size} of them different`);
    expect(new Set(told.map((one) => one.parent))).toEqual(new Set([seedId]));
    for (const host of hosts) {
      const [cached = ''] = dataFiles(swarm.dirOf(host));
      expect(await digestOfFile(cached), `cache of ${host}`).toBe(scene.digest);
    }
  } finally {
    await listener.stop();
  }
});
