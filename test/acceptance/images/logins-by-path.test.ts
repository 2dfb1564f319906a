import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, expect, test } from 'vitest';
import { segmentOfRegistry } from '../../../core/registry-names.ts';
import { GO_CLIENTS, GO_INSTALL_MS, installGoClients, setUpGoClient } from '../../support/go-clients.ts';
import { TAG } from '../../support/image.ts';
import { ALICE } from '../../support/registry.ts';
import { APP, note, PUBLIC } from './scene.ts';
import { expectUnseen, openTwo, pastMirror, shownTo, THERE, WRONG } from './two-registries.ts';

beforeAll(installGoClients, GO_INSTALL_MS);

for (const auth of ['basic', 'token'] as const) {
  test.each(GO_CLIENTS)(`%s reads a registry behind ${auth} by the path of the mirror`, async (name) => {
    const two = await openTwo(auth);
    const { named, byDefault, mirror, image } = two;
    const host = `127.0.0.1:${mirror.port}`;
    const open = async (dir: string) => {
      mkdirSync(join(two.dir, dir));
      return setUpGoClient(name, join(two.dir, dir));
    };
    const [nobody, guesser, alice] = [await open('nobody'), await open('guesser'), await open('alice')];
    if (nobody === undefined || guesser === undefined || alice === undefined) {
      console.error(`\n*** ${name} WAS NOT TRIED: it is not here, and there is no Go to build it with ***\n`);
      return;
    }
    const at = (repository: string) => `${host}/${segmentOfRegistry(named.name)}/${repository}:${TAG}`;
    const words = ({ stdout, stderr }: { stdout: string; stderr: string }) => stdout + stderr;
    const begun = performance.now();
    for (const [client, login] of [
      [guesser, WRONG],
      [alice, ALICE],
    ] as const) {
      const ran = await client.login(host, login);
      expect(ran.code, words(ran)).toBe(0);
    }
    if (auth === 'token') {
      for (const client of [nobody, alice]) {
        const pulled = await client.pull(at(PUBLIC));
        expect(pulled.code, words(pulled)).toBe(0);
      }
    }
    for (const client of [nobody, guesser]) {
      const refused = await client.pull(at(APP));
      expect(refused.code).not.toBe(0);
      expect(words(refused)).toMatch(/unauthorized|denied|401/i);
    }
    for (const _ of ['first', 'second']) {
      const pulled = await alice.pull(at(APP));
      expect(pulled.code, words(pulled)).toBe(0);
    }
    if (auth === 'token') {
      named.withdraw(ALICE.user, APP);
      expect((await alice.pull(at(APP))).code, 'with a login that was withdrawn').not.toBe(0);
    }
    const copies = named.front.blobBytes() / image.bytes;
    note(
      `${name}, ${auth}: ${copies.toFixed(4)} copies, ${((performance.now() - begun) / 1000).toFixed(1)} s`,
    );
    expect(pastMirror(named)).toEqual([]);
    expect(shownTo(named).map(({ password }) => password)).toContain(ALICE.password);
    expectUnseen(byDefault, ALICE.password, WRONG.password, THERE.password);
    expect(copies).toBeLessThanOrEqual(1.02);
  });
}
