import { expect, test } from 'vitest';
import { TAG } from '../../support/image.ts';
import { ALICE } from '../../support/registry.ts';
import type { Login } from '../../support/registry-tokens.ts';
import { APP, note, PUBLIC } from './scene.ts';
import { expectUnseen, openTwo, pastMirror, shownTo, THERE, WRONG } from './two-registries.ts';

/*
 * Logins of real clients through one host's mirror: of a registry that each names, and of the one that is asked for
 * without a name. Alice has another password at each, so that what either is shown tells whom it was meant for.
 */

for (const auth of ['basic', 'token'] as const) {
  for (const name of ['podman', 'buildah', 'skopeo', 'containerd'] as const) {
    test(`${name} reads a registry behind ${auth} as who it is logged in as there`, async () => {
      const two = await openTwo(auth);
      const { named, byDefault, image } = two;
      const client = await two.client(name);
      const pulledBy = async (repository: string, login?: Login) => {
        await client.clear();
        const pulled = await client.pull(`${repository}:${TAG}`, login);
        return { ...pulled, words: pulled.stdout + pulled.stderr };
      };
      const given = { code: 0, digest: image.manifest.digest };
      const begun = performance.now();
      if (auth === 'token') {
        expect(await pulledBy(PUBLIC), 'public, without a login').toMatchObject(given);
        expect(await pulledBy(PUBLIC, ALICE), 'public, with a login').toMatchObject(given);
      }
      for (const login of [undefined, WRONG]) {
        const refused = await pulledBy(APP, login);
        expect(
          refused.code,
          `private, ${login === undefined ? 'without a login' : 'with a wrong one'}`,
        ).not.toBe(0);
        expect(refused.words).toMatch(/unauthorized|denied|authoriz|401/i);
      }
      expect(await pulledBy(APP, ALICE), 'private, with the login').toMatchObject(given);
      if (auth === 'token') {
        named.withdraw(ALICE.user, APP);
        expect((await pulledBy(APP, ALICE)).code, 'with one that was withdrawn').not.toBe(0);
      }
      const copies = named.front.blobBytes() / image.bytes;
      note(
        `${name}, ${auth}: ${copies.toFixed(4)} copies, ${((performance.now() - begun) / 1000).toFixed(1)} s`,
      );
      expect(pastMirror(named)).toEqual([]);
      expect(shownTo(named).map(({ password }) => password)).toContain(ALICE.password);
      expectUnseen(byDefault, ALICE.password, WRONG.password);
      expectUnseen(named, THERE.password);
      expect(copies).toBeLessThanOrEqual(1.02);
    });
  }
}

test('Docker shows what it holds for Docker Hub to the default registry alone', async () => {
  const two = await openTwo('token');
  const { named, byDefault, image } = two;
  const docker = await two.client('docker');
  const given = { code: 0, digest: image.manifest.digest };
  expect(await docker.pull(`${PUBLIC}:${TAG}`)).toMatchObject(given);
  for (const login of [undefined, WRONG]) {
    await docker.clear();
    expect((await docker.pull(`${APP}:${TAG}`, login)).code).not.toBe(0);
  }
  await docker.clear();
  expect(await docker.pull(`${APP}:${TAG}`, THERE)).toMatchObject(given);
  expect(shownTo(byDefault).map(({ password }) => password)).toEqual(
    expect.arrayContaining([THERE.password]),
  );
  expectUnseen(named, THERE.password, WRONG.password);
  expect(pastMirror(byDefault)).toEqual([]);
  await docker.clear();
  byDefault.withdraw(ALICE.user, APP);
  expect((await docker.pull(`${APP}:${TAG}`, THERE)).code, 'with one that was withdrawn').not.toBe(0);
  const copies = byDefault.front.blobBytes() / image.bytes;
  note(`docker, token: ${copies.toFixed(4)} copies`);
  expect(copies).toBeLessThanOrEqual(1.02);
});
