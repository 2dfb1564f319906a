import { beforeAll, expect, test } from 'vitest';
import { MIB } from '../../support/files.ts';
import { GO_INSTALL_MS } from '../../support/go.ts';
import { containerd2 } from '../../support/go-clients.ts';
import { TAG } from '../../support/image.ts';
import type { Client } from './clients.ts';
import { CLIENTS, type ClientName, isHere } from './clients.ts';
import { APP, expectPulled, HOSTS, OTHER, openScene, pullAll, type Scene } from './scene.ts';

async function clientsOf(scene: Scene, names: readonly ClientName[]): Promise<Map<string, Client>> {
  const clients = new Map<string, Client>();
  for (const [index, host] of HOSTS.entries()) {
    const name = names[index % names.length] ?? 'containerd';
    clients.set(`${name} on ${host}`, await scene.client(name, host));
  }
  return clients;
}

/** Four pulls at once take one copy; a second pull, under whichever name, takes nothing. */
async function pullTwice(scene: Scene, names: readonly ClientName[]): Promise<void> {
  const clients = await clientsOf(scene, names);
  expectPulled(scene, await pullAll(clients));
  expect(scene.copies()).toBeLessThanOrEqual(1.01);
  scene.registry.front.reset();
  await Promise.all([...clients.values()].map((client) => client.clear()));
  const [[who, first] = []] = clients;
  if (who === undefined || first === undefined) throw new Error('a scene without clients');
  expectPulled(scene, await pullAll(new Map([[who, first]])));
  await first.clear();
  expectPulled(scene, await pullAll(new Map([[who, first]]), `${OTHER}:${TAG}`));
  expect(scene.registry.front.blobBytes(), 'body bytes of blobs after the first pull').toBe(0);
}

beforeAll(containerd2, GO_INSTALL_MS);

for (const name of [...CLIENTS, 'containerd 2'] as const) {
  test(`${name} on four hosts at once takes one copy, then none, under another repository name neither`, async () => {
    if (await isHere(name)) await pullTwice(await openScene(), [name]);
  });
}

test('containerd 2, whose parts overtake a slow registry, takes one copy', async () => {
  if (!(await isHere('containerd 2'))) return;
  const scene = await openScene({ bytesPerSec: 40 * MIB });
  expectPulled(scene, await pullAll(await clientsOf(scene, ['containerd 2'])));
  expect(scene.copies()).toBeLessThanOrEqual(1.02);
});

test('four different clients at once share one copy', async () => {
  await pullTwice(await openScene(), CLIENTS);
});

for (const auth of ['basic', 'token'] as const) {
  test(`four different clients at once, of a repository behind ${auth} authentication, share one copy`, async () => {
    // To Docker this registry is Docker Hub, and its login another: see logins.test.ts.
    await pullTwice(await openScene({ auth }), ['containerd', 'podman', 'skopeo']);
  });
}

test('a host that joins later takes everything from the others', async () => {
  const scene = await openScene();
  const first = await scene.client('containerd', 'peer1');
  expectPulled(scene, await pullAll(new Map([['containerd on peer1', first]])));
  scene.registry.front.reset();
  const later = await scene.client('skopeo', 'peer4');
  expectPulled(scene, await pullAll(new Map([['skopeo on peer4', later]]), `${APP}:${TAG}`));
  expect(scene.registry.front.blobBytes()).toBe(0);
});
