import { afterAll, beforeAll, expect, test } from 'vitest';
import { Copies } from '../../support/copies.ts';
import { GO_INSTALL_MS } from '../../support/go.ts';
import { installGoClients } from '../../support/go-clients.ts';
import { ALICE } from '../../support/registry.ts';
import type { Login } from '../../support/registry-tokens.ts';
import { type ClientName, isHere } from './clients.ts';
import { APP, PUBLIC } from './scene.ts';
import { expectUnseen, openTwo, pastMirror, shownTo, THERE, WRONG, wantedBy } from './two-registries.ts';

/*
 * Every client, through one host's mirror, at a registry of each kind: of a registry that it names, and for Docker, which
 * names none to a mirror, of the one that is asked for without a name. Alice has another password at each registry, so that
 * what either is shown tells whom it was meant for.
 */

const EVERY: readonly ClientName[] = [
  ...(['containerd', 'containerd 2', 'crictl', 'podman', 'buildah', 'skopeo', 'docker'] as const),
  ...(['crane', 'regctl', 'oras', 'helm'] as const),
];
const KINDS = { none: 'plain', basic: 'basic', token: 'token' } as const;
const AUTHS = Object.keys(KINDS) as (keyof typeof KINDS)[];
const REFUSED = /unauthorized|denied|authoriz|401/i;

const TIMES = ['first pull', 'second', 'refused'] as const;
const column = (auth: keyof typeof KINDS, time: (typeof TIMES)[number]) => `${KINDS[auth]}: ${time}`;
const copies = new Copies(AUTHS.flatMap((auth) => TIMES.map((time) => column(auth, time))));

beforeAll(installGoClients, GO_INSTALL_MS);
afterAll(() => {
  process.stdout.write(`\ncopies of the registry, through the mirror\n${copies}\n\n`);
});

for (const auth of AUTHS) {
  test.each(EVERY)(`%s reads a registry (${auth}) as who it is logged in as there`, async (name) => {
    if (!(await isHere(name))) return;
    const isHub = name === 'docker';
    const two = isHub ? await openTwo('token', auth) : await openTwo(auth);
    const [registry, other] = isHub ? [two.byDefault, two.named] : [two.named, two.byDefault];
    const own = isHub ? THERE : ALICE;
    const client = await two.client(name);
    const pulledBy = async (repository: string, login?: Login) => {
      const { reference } = wantedBy(two, name, repository);
      await client.clear();
      const pulled = await client.pull(reference, login);
      return { ...pulled, words: pulled.stdout + pulled.stderr };
    };
    const { bytes, digest } = wantedBy(two, name, APP);
    const given = { code: 0, digest };
    let before = 0;
    const note = (time: (typeof TIMES)[number]) => {
      const now = registry.front.blobBytes();
      copies.note(name, column(auth, time), (now - before) / bytes);
      before = now;
    };
    for (const login of auth === 'none' ? [] : [undefined, WRONG]) {
      const refused = await pulledBy(APP, login);
      expect(
        refused.code,
        `private, ${login === undefined ? 'without a login' : 'with a wrong one'}`,
      ).not.toBe(0);
      // Docker goes on with Docker Hub, and says what that said.
      if (!isHub) expect(refused.words).toMatch(REFUSED);
    }
    if (auth !== 'none') note('refused');
    const login = auth === 'none' ? undefined : own;
    expect(await pulledBy(APP, login), 'the first time').toMatchObject(given);
    note('first pull');
    expect(await pulledBy(APP, login), 'the second time').toMatchObject(given);
    note('second');
    if (auth === 'token') {
      expect(await pulledBy(PUBLIC), 'public, without a login').toMatchObject(given);
      expect(await pulledBy(PUBLIC, own), 'public, with a login').toMatchObject(given);
      registry.withdraw(own.user, APP);
      expect((await pulledBy(APP, own)).code, 'with a login that was withdrawn').not.toBe(0);
    }
    const nothing = await pulledBy('team/nothing', login);
    expect(nothing.code, 'what is not there').not.toBe(0);
    expect(nothing.words).toMatch(/not found|unknown|no such|404|denied|unauthorized/i);
    expect(pastMirror(registry)).toEqual([]);
    if (login !== undefined)
      expect(shownTo(registry).map(({ password }) => password)).toContain(own.password);
    expectUnseen(other, own.password, WRONG.password);
    expectUnseen(registry, (isHub ? ALICE : THERE).password);
    expect(registry.front.blobBytes() / bytes).toBeLessThanOrEqual(1.02);
  });
}
