import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { connect } from '@nats-io/transport-node';
import { expect, onTestFinished, test } from 'vitest';
import { until } from '../../support/child.ts';
import type { Swarm } from '../../support/swarm.ts';
import { inMidDownload, shared } from './group-scene.ts';
import { openScene, SLOW } from './scene.ts';

const logOf = ({ dir }: Swarm, name: string) => readFileSync(join(dir, 'logs', `${name}.log`), 'utf8');

/** What NATS is told of JetStream, whether a store is left to say who owns what, and what the log of a scheduler says. */
const SHORTAGES: readonly [string, string, boolean, RegExp][] = [
  ['is off', 'jetstream: disabled', false, /not enabled.*jetstream does not keep this now/],
  [
    'has no room',
    'jetstream { max_file_store: 4096 }',
    false,
    /insufficient storage.*jetstream does not keep this now/,
  ],
  [
    'has room for little',
    'jetstream { max_file_store: 67108864 }',
    true,
    /insufficient storage.*jetstream does not keep this now/,
  ],
];

test.each(SHORTAGES)(
  'JetStream %s: schedulers go on without, and say so',
  async (_what, natsConfig, guided, said) => {
    const scene = await openScene({ hostFlags: SLOW, schedulers: 2, natsConfig });
    const { swarm } = scene;
    await shared(swarm, 2, guided);
    await inMidDownload(scene, async () => {
      await swarm.kill('scheduler2');
      await shared(swarm, 1, guided);
    });
    expect(logOf(swarm, 'scheduler')).toMatch(said);
    if (!guided) expect(logOf(swarm, 'scheduler')).toMatch(/who owns what follows from presence alone/);
    expect(scene.copies()).toBeLessThanOrEqual(1.1);
  },
);

test('a scheduler that is cut off as a slow consumer comes back, and the gets end right', async () => {
  const scene = await openScene({ hostFlags: SLOW, schedulers: 2, natsConfig: 'max_pending: 1048576' });
  const { swarm } = scene;
  await shared(swarm, 2);
  const flood = await connect({ servers: swarm.natsUrl });
  onTestFinished(() => flood.close());
  await inMidDownload(scene, async () => {
    swarm.signal('scheduler2', 'SIGSTOP');
    await until('nats-server to cut it off', async () => {
      // Whoever is awake refuses it unread.
      const payload = new Uint8Array(200_000);
      for (let count = 0; count < 10; count += 1)
        flood.publish(`shoal.v1.host.${'f'.repeat(32)}.alive`, payload);
      await flood.flush();
      return /Slow Consumer/.test(logOf(swarm, 'nats')) || undefined;
    });
    swarm.signal('scheduler2', 'SIGCONT');
    await shared(swarm, 2);
  });
  expect(scene.copies()).toBeLessThanOrEqual(1.1);
});
