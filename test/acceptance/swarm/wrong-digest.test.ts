import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { until } from '../../support/child.ts';
import { storedBytes, writeRandomFile } from '../../support/files.ts';
import { openScene, SIZE } from './scene.ts';

test('a source that contradicts the digest ends with exit code 4 and leaves nothing; the next source is unharmed', async () => {
  const scene = await openScene();
  const { swarm, origin, digest } = scene;
  const other = join(scene.dir, 'other');
  writeRandomFile(other, SIZE);
  origin.files.set('/other', other);

  const output = scene.outputOf('peer1');
  const wrong = await swarm.get('peer1', origin.url('/other'), { digest, output }).done;
  expect(wrong).toMatchObject({ code: 4 });
  expect(existsSync(output)).toBe(false);
  for (const host of swarm.hosts) {
    await until(`nothing of it kept by ${host}`, () => storedBytes(swarm.dirOf(host)) === 0 || undefined);
  }

  const gets = new Map(['peer1', 'peer2'].map((host) => [host, scene.get(host, { digest })]));
  for (const outcome of await scene.allRight(gets)) expect(outcome.result?.digest).toBe(digest);
  const again = await swarm.get('peer3', origin.url('/other'), { digest, output: scene.outputOf('peer3') })
    .done;
  // The swarm holds the content of the digest by now, wherever the asker says it comes from.
  expect(again).toMatchObject({ code: 0 });
});
