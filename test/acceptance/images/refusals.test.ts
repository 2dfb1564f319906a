import { expect, test } from 'vitest';
import { until } from '../../support/child.ts';
import { MIB } from '../../support/files.ts';
import type { Image } from '../../support/image.ts';
import { ALICE, BOB } from '../../support/registry.ts';
import type { Login } from '../../support/registry-tokens.ts';
import { CLIENTS } from './clients.ts';
import { authorizationOf, throughDoors } from './doors.ts';
import { APP, openScene, pullAll, type Scene } from './scene.ts';

const SMALL = [12 * MIB, 6 * MIB, 3 * MIB, 1 * MIB];
const WRONG: Login = { user: ALICE.user, password: 'not hers' };
/** How long daemons remember an answer here. */
const MEMORY = ['--access-memory', '1s'];

const blobPath = (image: Image) => `/v2/${APP}/blobs/${image.layers[0]?.digest}`;
const manifestPath = (image: Image) => `/v2/${APP}/manifests/${image.manifest.digest}`;

/** Expects a login to be refused at every door of a host, for a layer and for the manifest. */
async function expectRefused(scene: Scene, host: string, login: Login | undefined): Promise<void> {
  const headers = await authorizationOf(scene, login, APP);
  const who = login === undefined ? 'nobody' : `${login.user}:${login.password}`;
  for (const path of [blobPath(scene.image), manifestPath(scene.image)]) {
    for (const [door, answer] of await throughDoors(scene, host, path, headers)) {
      expect([401, 403, 404], `${who} at ${door} of ${host} for ${path}: ${answer.text}`).toContain(
        answer.status,
      );
      expect(answer.digest, `${who} got the content by ${door} of ${host}`).not.toBe(path.split('/').at(-1));
    }
  }
  const flags = Object.entries(headers).flatMap(([name, value]) => ['--header', `${name}: ${value}`]);
  for (const resource of [
    scene.image.layers[0]?.digest ?? '',
    `${scene.registry.url}${blobPath(scene.image)}`,
  ]) {
    const got = await scene.swarm.get(host, resource, { flags: [...flags, '--timeout', '20s'] }).done;
    expect(got.code, `${who} by get ${resource} on ${host}: ${got.stdout}`).not.toBe(0);
    expect(got.result).toBeUndefined();
  }
}

/** Expects a login to be given the layer at every HTTP door of a host. */
async function expectGiven(scene: Scene, host: string, login: Login): Promise<void> {
  const headers = await authorizationOf(scene, login, APP);
  const path = blobPath(scene.image);
  for (const [door, answer] of await throughDoors(scene, host, path, headers)) {
    expect(answer, `${login.user} at ${door} of ${host}`).toMatchObject({
      status: 200,
      whole: true,
      digest: scene.image.layers[0]?.digest,
    });
  }
}

for (const auth of ['basic', 'token'] as const) {
  test(`behind ${auth} authentication nobody without the right credentials gets a byte, cached or not`, async () => {
    const scene = await openScene({ auth, layers: SMALL, hostFlags: MEMORY });
    for (const login of [undefined, WRONG]) await expectRefused(scene, 'peer1', login);
    const first = await scene.client('containerd', 'peer1');
    const [pulled] = [...(await pullAll(new Map([['containerd', first]]))).values()];
    expect(pulled).toMatchObject({ code: 0, digest: scene.image.manifest.digest });
    await expectGiven(scene, 'peer1', ALICE);
    // Bob is let in by the registry that knows no repositories, and refused by the one that does.
    const others = auth === 'token' ? [undefined, WRONG, BOB] : [undefined, WRONG];
    for (const host of ['peer1', 'peer2', 'seed']) {
      for (const login of others) await expectRefused(scene, host, login);
    }
    await expectGiven(scene, 'peer2', ALICE);
    for (const login of others) await expectRefused(scene, 'peer2', login);
  });

  test(`behind ${auth} authentication every client without the right credentials is refused`, async () => {
    const scene = await openScene({ auth, layers: SMALL });
    const first = await scene.client('containerd', 'peer1');
    await pullAll(new Map([['containerd', first]]));
    for (const name of CLIENTS) {
      const client = await scene.client(name, 'peer1');
      for (const login of [undefined, WRONG]) {
        if (name === 'docker' && login !== undefined) continue;
        const pulled = await client.pull(`${APP}:v1`, login);
        expect(pulled.code, `${name} as ${login?.user ?? 'nobody'}: ${pulled.stdout}`).not.toBe(0);
      }
    }
  });
}

test('access withdrawn at the registry ends with the memory of its last answer, on every host', async () => {
  const scene = await openScene({ auth: 'token', layers: SMALL, hostFlags: MEMORY });
  for (const host of ['peer1', 'peer2']) await expectGiven(scene, host, ALICE);
  const headers = await authorizationOf(scene, ALICE, APP);
  scene.registry.withdraw(ALICE.user, APP);
  for (const host of ['peer1', 'peer2']) {
    await until(
      `the memory of ${host} to end`,
      async () => {
        const answers = await throughDoors(scene, host, blobPath(scene.image), headers);
        return [...answers.values()].every(({ status }) => status !== 200) || undefined;
      },
      10_000,
    );
  }
  for (const host of ['peer1', 'peer2', 'peer3']) await expectRefused(scene, host, ALICE);
  scene.registry.grant(ALICE.user, APP);
  await expectGiven(scene, 'peer1', ALICE);
});
