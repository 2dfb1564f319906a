import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { expect, onTestFinished, test } from 'vitest';
import type { Digest } from '../../../core/ids.ts';
import { MIB } from '../../support/files.ts';
import { pushImage } from '../../support/image.ts';
import { ALICE, BOB, startRegistry } from '../../support/registry.ts';
import type { Login } from '../../support/registry-tokens.ts';
import type { TinyImage } from '../../support/tiny-image.ts';
import { startTinyRegistry } from '../../support/tiny-registry.ts';
import { startWireTap } from '../../support/wire-tap.ts';
import { type Answer, ask, authorizationOf, basic, throughDoors } from './doors.ts';
import { APP, HOSTS, note, openScene, PUBLIC, type Scene } from './scene.ts';

const LAYERS = [12 * MIB, 3 * MIB];
const CAROL: Login = { user: 'carol', password: 'of the other one' };
const WRONG: Login = { user: ALICE.user, password: 'not hers' };
/** Each answer of a registry is asked for anew: nobody here lives on what another was told a moment ago. */
const MEMORY = ['--access-memory', '0s'];

/** A registry, and what a client says to it. */
interface Door {
  readonly name: string;
  readonly url: string;
  readonly headers: Readonly<Record<string, string>>;
}

/** An image behind one registry's tokens, in another registry too, and at a server that has nothing but zeros of it. */
async function openPrivate() {
  const other = await startRegistry({ auth: 'basic', users: [CAROL] });
  const evil = await startTinyRegistry();
  onTestFinished(async () => {
    await other[Symbol.asyncDispose]();
    await evil[Symbol.asyncDispose]();
  });
  const flags = [other, evil].flatMap(({ name, url }) => [
    ...['--allow-origin', name, '--registry', `${name}=${url}`, '--prefix-origin', name],
  ]);
  const scene = await openScene({ auth: 'token', layers: LAYERS, hostFlags: [...flags, ...MEMORY] });
  const { image } = scene;
  await other.loading((url) => pushImage(url, image, [APP]));
  const zeros = [image.manifest, ...image.blobs].map(({ digest, bytes }) => {
    return [digest as Digest, { bytes: Buffer.alloc(bytes), mediaType: 'application/octet-stream' }] as const;
  });
  const index = image.manifest.digest as Digest;
  evil.images.set(`${APP}:v1`, { contents: new Map(zeros), index } as unknown as TinyImage);
  const digest = image.layers[0]?.digest ?? '';
  return { scene, other, evil, digest, path: `/v2/${APP}/blobs/${digest}` };
}

/** What comes of a client at every HTTP door of a host and by `get`, with the digest and with the URL. */
async function everyWay(scene: Scene, host: string, path: string, { headers, ...registry }: Door) {
  const answers = await throughDoors(scene, host, path, headers, registry);
  const flags = Object.entries(headers).flatMap(([name, value]) => ['--header', `${name}: ${value}`]);
  const digest = path.split('/').at(-1) ?? '';
  const { swarm } = scene;
  const byUrl = swarm.get(host, `${registry.url}${path}`, { digest, flags: [...flags, '--timeout', '30s'] });
  const byDigest = swarm.get(host, digest, { flags: [...flags, '--timeout', '30s'] });
  return { answers, byUrl: await byUrl.done, byDigest: await byDigest.done };
}

function expectNothing(answers: ReadonlyMap<string, Answer>, digest: string, who: string): void {
  for (const [door, answer] of answers) {
    const isRefused = answer.status === 0 || answer.status >= 400;
    // What its own server gave may come through; of the content nothing does.
    expect(
      isRefused || answer.isZeros,
      `${who} at ${door}: ${answer.status} ${answer.text.slice(0, 200)}`,
    ).toBe(true);
    expect(answer.digest).not.toBe(digest);
  }
}

/** Expects that nothing is told of the content at the HTTP doors, not even that it is there, nor a part of it. */
async function expectUntold(scene: Scene, host: string, path: string, who: string, door: Door) {
  const { headers } = door;
  const asked = [
    await throughDoors(scene, host, path, headers, door, 'HEAD'),
    await throughDoors(scene, host, path, { ...headers, range: 'bytes=100-199' }, door),
  ];
  for (const answers of asked) {
    for (const [name, { status, bytes, text }] of answers) {
      expect(status === 0 || status >= 400, `${who} at ${name} of ${host}: ${status}`).toBe(true);
      expect(bytes, `${who} at ${name} of ${host}: ${text}`).toBeLessThan(2_000);
    }
  }
}

/** Expects each HTTP door to give its length and a part of it to whom it gives the content. */
async function expectTold(scene: Scene, host: string, path: string, who: string, door: Door) {
  const { headers } = door;
  const { file = '', bytes } = scene.image.layers[0] ?? {};
  const part = createHash('sha256').update(readFileSync(file).subarray(100, 200)).digest('hex');
  for (const [name, answer] of await throughDoors(scene, host, path, headers, door, 'HEAD')) {
    const { status, length } = answer;
    expect({ status, length, bytes: answer.bytes }, `${who} at ${name} of ${host}`).toEqual({
      status: 200,
      length: bytes,
      bytes: 0,
    });
  }
  const ranged = { ...headers, range: 'bytes=100-199' };
  for (const [name, answer] of await throughDoors(scene, host, path, ranged, door)) {
    const { status, digest } = answer;
    expect({ status, digest }, `${who} at ${name} of ${host}`).toEqual({
      status: 206,
      digest: `sha256:${part}`,
    });
  }
}

/** Expects the data plane of a host to give nothing to somebody who is no member, whatever login he shows. */
async function expectMembersAlone(scene: Scene, host: string, digest: string, headers: Door['headers']) {
  const { dataPort: port } = await scene.swarm.status(host);
  const task = `/v1/task/${digest.replace(':', '-')}`;
  for (const path of [task, `${task}/have`]) {
    for (const range of ['bytes=0-99999', 'bytes=0-0']) {
      const answer = await ask({ path, port, headers: { ...headers, range } });
      expect(answer.status, `${path} of ${host}: ${answer.text}`).toBe(401);
      expect(answer.bytes).toBeLessThan(1_000);
    }
  }
}

test('private content is given at every door to whom its own registry lets in, and to nobody else', async () => {
  const { scene, other, evil, digest, path } = await openPrivate();
  const { registry } = scene;
  const own = async (login: Login | undefined): Promise<Door> => {
    return { ...registry, headers: await authorizationOf(scene, login, APP) };
  };
  const closed: [string, Door][] = [
    ['nobody', await own(undefined)],
    ['wrong', await own(WRONG)],
    ['another user', await own(BOB)],
    ['a login for another registry', { ...registry, headers: { authorization: basic(CAROL) } }],
    ['nobody at the other registry', { ...other, headers: {} }],
    ['wrong at the other registry', { ...other, headers: { authorization: basic(ALICE) } }],
    ['the server of an attacker', { ...evil, headers: {} }],
    ['the server of an attacker, with a login', { ...evil, headers: { authorization: basic(BOB) } }],
  ];
  const expectClosed = async (host: string) => {
    for (const [who, door] of closed) {
      const { answers, byUrl, byDigest } = await everyWay(scene, host, path, door);
      expectNothing(answers, digest, `${who} on ${host}`);
      expect([byUrl.result, byDigest.result], `${who} on ${host} by get: ${byUrl.stdout}`).toEqual([
        undefined,
        undefined,
      ]);
      if (door.name !== evil.name) await expectUntold(scene, host, path, who, door);
      await expectMembersAlone(scene, host, digest, door.headers);
    }
    await expectMembersAlone(scene, host, digest, alice.headers);
  };
  const alice = await own(ALICE);
  // Before anybody has it: who comes first decides nothing.
  await expectClosed('peer1');
  const first = await everyWay(scene, 'peer2', path, alice);
  for (const [door, answer] of first.answers) expect(answer, door).toMatchObject({ status: 200, digest });
  await expectTold(scene, 'peer2', path, 'alice', alice);
  expect([first.byUrl.code, first.byDigest.code]).toEqual([0, 0]);
  for (const host of ['peer2', 'peer3']) await expectClosed(host);
  expect((await everyWay(scene, 'peer3', path, alice)).byUrl.code).toBe(0);

  const before = other.front.blobBytes();
  const carol: Door = { ...other, headers: { authorization: basic(CAROL) } };
  const together = await Promise.all(
    ['peer1', 'peer2', 'peer3'].map((host) => everyWay(scene, host, path, carol)),
  );
  for (const { answers, byUrl } of together) {
    for (const [door, answer] of answers) expect(answer, door).toMatchObject({ status: 200, digest });
    expect(byUrl.code).toBe(0);
  }
  for (const host of ['peer1', 'peer3']) await expectTold(scene, host, path, 'carol', carol);
  expect((await everyWay(scene, 'peer4', path, carol)).byUrl.code).toBe(0);
  const copies = (other.front.blobBytes() - before) / (scene.image.layers[0]?.bytes ?? 1);
  note(`the other registry: ${copies.toFixed(3)} copies for four hosts`);
  expect(copies).toBeLessThan(1.1);

  registry.withdraw(ALICE.user, APP);
  for (const host of HOSTS) {
    const { answers, byUrl } = await everyWay(scene, host, path, alice);
    expectNothing(answers, digest, `withdrawn on ${host}`);
    expect(byUrl.result).toBeUndefined();
    await expectUntold(scene, host, path, `withdrawn on ${host}`, alice);
    await expectMembersAlone(scene, host, digest, alice.headers);
  }
});

test('a tap on the wire between hosts sees no byte of private content, and sees those of public content', async () => {
  const scene = await openScene({ auth: 'token', layers: LAYERS });
  const { image, swarm } = scene;
  const ports = await Promise.all(swarm.hosts.map(async (host) => (await swarm.status(host)).dataPort));
  const pull = async (repository: string, login: Login | undefined, { digest }: { digest: string }) => {
    // A token is a credential, also where anybody gets one.
    const headers = login === undefined ? {} : await authorizationOf(scene, login, repository);
    for (const host of HOSTS) {
      const port = swarm.proxyPortOf(host);
      const path = `/v2/${repository}/blobs/${digest}?ns=${encodeURIComponent(scene.registry.name)}`;
      expect(await ask({ path, port, headers }), host).toMatchObject({ status: 200, digest });
    }
  };
  const [secret, open] = image.layers;
  if (secret === undefined || open === undefined) throw new Error('an image of two layers');
  await using tap = await startWireTap(ports);
  await pull(APP, ALICE, secret);
  await pull(PUBLIC, undefined, open);
  const passed = await tap.end();
  note(`${(passed.length / MIB).toFixed(1)} MiB passed between hosts`);
  expect(passed.length).toBeGreaterThan(3 * (secret.bytes + open.bytes));
  const seen = (file: string) => {
    const bytes = readFileSync(file);
    const marks = Array.from(
      { length: Math.floor(bytes.length / (64 * 1024)) },
      (_, at) => at * 64 * 1024 + 100,
    );
    return marks.filter((at) => passed.includes(bytes.subarray(at, at + 16))).length / marks.length;
  };
  expect(seen(secret.file)).toBe(0);
  expect(seen(open.file)).toBeGreaterThan(0.9);
});
