import { join } from 'node:path';
import { expect, test } from 'vitest';
import { ROOT, startCommand } from '../support/child.ts';
import { startMirror } from '../support/mirror-host.ts';
import { tinyImage } from '../support/tiny-image.ts';
import { startTinyRegistry } from '../support/tiny-registry.ts';

const SCRIPT = join(ROOT, 'deploy/helm/shoal/files/pull.mjs');

test('what `helm test` runs pulls an image of several platforms through a mirror, and fails where it is not there', async () => {
  await using registry = await startTinyRegistry();
  const image = tinyImage([100_000, 50_000]);
  registry.images.set('team/app:v1', image);
  await using mirror = await startMirror({
    'allow-origin': [registry.name],
    registry: [`${registry.name}=${registry.url}`],
  });
  const pull = (name: string) =>
    startCommand([process.execPath, SCRIPT, `http://127.0.0.1:${mirror.port}`, `${registry.name}/${name}`])
      .done;
  const pulled = await pull('team/app:v1');
  expect(pulled).toMatchObject({ code: 0, stderr: '' });
  const architecture = process.arch === 'arm64' ? 'arm64' : 'amd64';
  for (const digest of image.layers[architecture]) expect(pulled.stdout).toContain(digest);
  expect(await pull(`team/app@${image.index}`)).toMatchObject({ code: 0 });
  const missing = await pull('team/app:v2');
  expect(missing.code).not.toBe(0);
  expect(missing.stderr).toContain('404');
});
