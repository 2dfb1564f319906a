import { rmSync } from 'node:fs';
import { expect, test } from 'vitest';
import { MIB } from '../../support/files.ts';
import type { Swarm } from '../../support/swarm.ts';
import { holders, inMidDownload, shared, whole } from './group-scene.ts';
import { note, openScene, SLOW } from './scene.ts';

const SCHEDULERS = ['scheduler', 'scheduler2', 'scheduler3'] as const;

async function restartNats(swarm: Swarm, isWiped: boolean): Promise<void> {
  await swarm.kill('nats');
  if (isWiped) rmSync(swarm.dirOf('nats'), { recursive: true });
  swarm.start('nats');
}

async function restartSchedulers(swarm: Swarm): Promise<void> {
  await Promise.all(SCHEDULERS.map((name) => swarm.kill(name)));
  for (const name of SCHEDULERS) swarm.start(name);
}

test.each([
  ['with its store', false],
  ['without it', true],
])(
  'kill -9 of nats-server, started again %s: the gets end right, and the swarm is whole',
  async (_how, isWiped) => {
    const scene = await openScene({ hostFlags: SLOW, schedulers: 3 });
    const { swarm } = scene;
    await shared(swarm, 3);
    await inMidDownload(scene, async () => {
      await restartNats(swarm, isWiped);
      await whole(swarm, 3);
    });
    expect(scene.copies()).toBeLessThanOrEqual(1.1);
  },
);

/** What is lost at rest, and how many bytes of the origin a get may cost after it. */
const LOSSES: readonly [string, number, (swarm: Swarm) => Promise<void>][] = [
  ['all schedulers were killed', 0, restartSchedulers],
  ['nats-server was killed', 0, (swarm) => restartNats(swarm, false)],
  // Nobody knows any more what the URL points to, and what is held has to prove itself, by a piece of each holder.
  ['nats-server lost its store', 3 * MIB, (swarm) => restartNats(swarm, true)],
  [
    'all schedulers were killed and nats-server lost its store',
    3 * MIB,
    async (swarm) => {
      await Promise.all([restartSchedulers(swarm), restartNats(swarm, true)]);
    },
  ],
];

test.each(LOSSES)(
  '%s: what hosts hold is known, and the next gets take it from them',
  async (_what, most, lose) => {
    const scene = await openScene({ schedulers: 3, bytes: 64 * MIB });
    const { swarm, origin, digest } = scene;
    await shared(swarm, 3);
    // What is asked for by digest is another task than what a URL points to.
    await scene.allRight(new Map([['peer1', scene.get('peer1')]]));
    await scene.allRight(new Map([['peer2', scene.get('peer2', { digest })]]));
    const held = await holders(swarm);
    expect(held.size).toBe(2);
    await lose(swarm);
    await whole(swarm, 3, held);
    const before = origin.bodyBytes('/file');
    await scene.allRight(new Map([['peer3', scene.get('peer3', { digest })]]));
    // Without a log a host may be sent to the origin for a piece before a holder has proven itself.
    expect(origin.bodyBytes('/file') - before).toBeLessThanOrEqual(Math.min(most, MIB / 4));
    await scene.allRight(new Map([['peer4', scene.get('peer4')]]));
    const read = origin.bodyBytes('/file') - before;
    note(`a get by URL read ${read} bytes of the origin`);
    expect(read).toBeLessThanOrEqual(most);
  },
);
