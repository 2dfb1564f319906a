import { describe, expect, onTestFinished, test } from 'vitest';
import type { Clock } from '../../../core/clock.ts';
import { comesInPrivate } from '../../../proxy/mirror/own-challenge.ts';
import type { ProxyRequest } from '../../../proxy/request.ts';
import {
  type FakeRegistry,
  IDENTITY,
  PASSWORD,
  startFakeRegistry,
  testRegistries,
  USER,
} from '../../origins/registry/support.ts';
import { serve, type TestServer } from '../../origins/support.ts';
import { realClock } from '../../transport/real-clock.ts';
import { askPort, digestOf, errorsOf, HOST, type Scene, startScene } from './scene.ts';

const MANIFEST = Buffer.from('{"schemaVersion":2,"config":{},"layers":[]}');
const BASIC = (user: string, password: string) =>
  `Basic ${Buffer.from(`${user}:${password}`).toString('base64')}`;
const ME = BASIC(USER, PASSWORD);
const WRONG = BASIC(USER, 'guess');

/** The registry that is asked for without a name, and one that is asked for by path, each behind tokens of its own. */
interface Two extends AsyncDisposable {
  readonly scene: Scene;
  readonly byDefault: FakeRegistry;
  readonly byPath: FakeRegistry;
  /** The latter as the first part of a path. */
  readonly segment: string;
}

async function startTwo(options: { clock?: Clock; graceMs?: number } = {}): Promise<Two> {
  const [byDefault, byPath] = [await startFakeRegistry(MANIFEST), await startFakeRegistry(MANIFEST)];
  for (const { readers } of [byDefault, byPath]) {
    readers.clear();
    readers.add(USER);
  }
  const reach = testRegistries();
  const name = ({ server }: FakeRegistry) => `127.0.0.1:${server.port}`;
  const registries = Object.fromEntries([byDefault, byPath].map((one) => [name(one), one.server.url]));
  const scene = await startScene({ ...options, defaultRegistry: name(byDefault), registries, reach });
  return {
    scene,
    byDefault,
    byPath,
    segment: name(byPath).replace(':', '_'),
    async [Symbol.asyncDispose]() {
      await scene[Symbol.asyncDispose]();
      await reach.close();
      await byDefault.close();
      await byPath.close();
    },
  };
}

/** What a server was shown. */
const shown = ({ requests }: TestServer) =>
  requests.flatMap(({ headers: { authorization } }) => (authorization === undefined ? [] : [authorization]));

/** Where the mirror sends a client for a token, as it says for a target. */
async function realmOf(scene: Scene, target: string): Promise<string> {
  const { headers } = await scene.ask(target);
  const realm = /^Bearer realm="http:\/\/127\.0\.0\.1:(\d+)(\/[^"]*)"/.exec(
    headers['www-authenticate'] ?? '',
  );
  expect(Number(realm?.[1]), 'the realm is the mirror').toBe(scene.port);
  return realm?.[2] ?? '';
}

/** A token as a client asks for it. */
async function tokenFor(scene: Scene, login: string | undefined, ...scopes: string[]): Promise<string> {
  const query = scopes.map((scope) => `&scope=${encodeURIComponent(scope)}`).join('');
  const headers = login === undefined ? {} : { authorization: login };
  const answer = await scene.ask(`${await realmOf(scene, '/v2/')}?service=shoal${query}`, headers);
  expect(answer).toMatchObject({ status: 200, headers: { 'cache-control': 'no-store' } });
  const said = JSON.parse(answer.body.toString()) as Record<string, unknown>;
  expect(said['access_token']).toBe(said['token']);
  expect(said['expires_in']).toBe(300);
  return String(said['token']);
}

/** Asks with a token. */
const withToken = (scene: Scene, target: string, token: string) =>
  scene.ask(target, { authorization: `Bearer ${token}` });

describe('the challenge of the mirror', () => {
  test('names the mirror alone, with the scope that is missing, for a registry by path and by default', async () => {
    await using two = await startTwo();
    const { scene, segment } = two;
    const base = await scene.ask('/v2/');
    expect(base.status).toBe(401);
    expect(base.headers['www-authenticate']).toBe(
      `Bearer realm="http://127.0.0.1:${scene.port}/v2/token",service="shoal"`,
    );
    expect(two.byDefault.server.requests).toHaveLength(0);
    for (const name of ['team/app', `${segment}/team/app`]) {
      for (const kind of [`manifests/v1`, `blobs/${digestOf('x')}`, 'tags/list']) {
        const answer = await scene.ask(`/v2/${name}/${kind}`);
        expect(answer.status).toBe(401);
        expect(answer.headers['www-authenticate']).toBe(
          `Bearer realm="http://127.0.0.1:${scene.port}/v2/token",service="shoal",scope="repository:${name}:pull"`,
        );
        expect(errorsOf(answer)).toMatchObject([{ code: 'UNAUTHORIZED' }]);
      }
    }
  });

  test('leaves a client that names the registry beside the path to the registry’s own', async () => {
    await using two = await startTwo();
    const { scene, byPath, segment } = two;
    for (const path of ['', 'team/app/manifests/v1']) {
      const answer = await scene.ask(`/v2/${path}?ns=${segment.replace('_', ':')}`);
      expect(answer.status).toBe(401);
      expect(answer.headers['www-authenticate']).toContain(`realm="${byPath.tokens.url}/token"`);
    }
  });

  test('is by https behind what ends TLS, and by the address where the client names no host', async () => {
    await using scene = await startScene();
    const realm = async (headers: Record<string, string>) =>
      (await askPort(scene.port, '/v2/', headers)).headers['www-authenticate'] ?? '';
    expect(await realm({ host: 'mirror.lab', 'x-forwarded-proto': 'https' })).toContain(
      'realm="https://mirror.lab/v2/token"',
    );
    expect(await realm({ host: 'a" b' })).toContain(`realm="http://127.0.0.1:${scene.port}/v2/token"`);
  });
});

test.each([
  ['127.0.0.1', '127.0.0.1', {}, true],
  ['127.1.2.3', '127.0.0.1', {}, true],
  ['::1', '::1', {}, true],
  ['::ffff:127.0.0.1', '::ffff:127.0.0.1', {}, true],
  ['10.0.0.7', '10.0.0.7', {}, true],
  ['10.0.0.8', '10.0.0.7', {}, false],
  ['2001:db8::127', '2001:db8::1', {}, false],
  ['10.0.0.8', '10.0.0.7', { 'x-forwarded-proto': 'http' }, false],
  ['10.0.0.8', '10.0.0.7', { 'x-forwarded-proto': 'https' }, true],
])('a client at %s that reaches %s with %j is asked for a login: %s', (from, at, headers, isAsked) => {
  const socket = { remoteAddress: from, localAddress: at };
  expect(comesInPrivate({ request: { socket, headers } } as unknown as ProxyRequest)).toBe(isAsked);
});

describe('a login', () => {
  test('reaches the registry whose repository is asked for, and no other', async () => {
    await using two = await startTwo();
    const { scene, byDefault, byPath, segment } = two;
    const scope = `repository:${segment}/team/app:pull`;
    const token = await tokenFor(scene, ME, scope);
    expect(byPath.server.requests, 'nobody is asked for a token alone').toHaveLength(0);
    expect(await withToken(scene, '/v2/', token)).toMatchObject({ status: 200 });
    const answer = await withToken(scene, `/v2/${segment}/team/app/manifests/v1`, token);
    expect(answer).toMatchObject({ status: 200, body: MANIFEST });
    expect(new Set(shown(byPath.tokens))).toEqual(new Set([ME]));
    expect(byPath.asked.every((asked) => asked.get('scope') === 'repository:team/app:pull')).toBe(true);
    // Neither the login nor the token of the mirror is what the registry itself is shown.
    expect(shown(byPath.server).every((one) => /^Bearer token-\d+-me$/.test(one))).toBe(true);
    expect([...shown(byDefault.tokens), ...shown(byDefault.server)]).toEqual([]);

    const elsewhere = await withToken(scene, '/v2/team/app/manifests/v1', token);
    expect(elsewhere.status).toBe(401);
    expect(elsewhere.headers['www-authenticate']).toContain(
      'scope="repository:team/app:pull",error="insufficient_scope"',
    );
    expect(byDefault.server.requests).toHaveLength(0);
  });

  test('for what has no registry in its name is for the default one', async () => {
    await using two = await startTwo();
    const { scene, byDefault, byPath } = two;
    const token = await tokenFor(scene, ME, 'repository:team/app:pull');
    expect(await withToken(scene, '/v2/team/app/manifests/v1', token)).toMatchObject({ status: 200 });
    expect(new Set(shown(byDefault.tokens))).toEqual(new Set([ME]));
    expect([...shown(byPath.tokens), ...shown(byPath.server)]).toEqual([]);
  });

  test('that says no registry, as of a mere `login`, is shown to none', async () => {
    await using two = await startTwo();
    const { scene, byDefault, byPath, segment } = two;
    const token = await tokenFor(scene, ME);
    expect(await withToken(scene, '/v2/', token)).toMatchObject({ status: 200 });
    for (const name of ['team/app', `${segment}/team/app`]) {
      const answer = await withToken(scene, `/v2/${name}/manifests/v1`, token);
      expect(answer.status).toBe(401);
      expect(answer.headers['www-authenticate']).toContain('error="insufficient_scope"');
    }
    expect([...byDefault.server.requests, ...byPath.server.requests]).toHaveLength(0);
  });

  test('for several registries at once is refused', async () => {
    await using two = await startTwo();
    const { scene, segment } = two;
    const scopes = [`scope=repository:${segment}/a:pull`, 'scope=repository:b:pull'].join('&');
    const answer = await scene.ask(`/v2/token?${scopes}`, { authorization: ME });
    expect(answer.status).toBe(400);
    expect(errorsOf(answer)).toMatchObject([{ message: expect.stringContaining('for one registry') }]);
    expect(await scene.ask(`/v2/token?${scopes}`), 'who has none may').toMatchObject({ status: 200 });
  });

  test('that is wrong, or withdrawn, is refused as the registry refuses it, and nothing takes its place', async () => {
    await using two = await startTwo();
    const { scene, byPath, segment } = two;
    byPath.readers.add('');
    const scope = `repository:${segment}/team/app:pull`;
    const target = `/v2/${segment}/team/app/manifests/v1`;
    for (const isKnown of [false, true]) {
      if (isKnown) expect(await scene.ask(target), 'to anybody').toMatchObject({ status: 200 });
      const before = shown(byPath.tokens).length;
      const answer = await withToken(scene, target, await tokenFor(scene, WRONG, scope));
      expect(answer.status).toBe(401);
      expect(answer.body.toString()).toBe('{"details":"incorrect username or password"}');
      expect(answer.headers['www-authenticate']).toContain('/v2/token"');
      expect(shown(byPath.tokens).length - before, 'so that no account is locked').toBe(1);
    }
    byPath.readers.clear();
    byPath.readers.add(USER);
    const token = await tokenFor(scene, ME, scope);
    expect(await withToken(scene, target, token)).toMatchObject({ status: 200 });
    byPath.readers.clear();
    const refused = await withToken(scene, target, token);
    expect(refused.status).toBe(401);
    expect(errorsOf(refused)).toMatchObject([{ code: 'UNAUTHORIZED' }]);
  });

  test('is shown anew for each token of the mirror', async () => {
    await using two = await startTwo();
    const { scene, byPath, segment } = two;
    const target = `/v2/${segment}/team/app/manifests/v1`;
    for (const times of [1, 2]) {
      const token = await tokenFor(scene, ME, `repository:${segment}/team/app:pull`);
      for (const _ of [1, 2, 3]) expect(await withToken(scene, target, token)).toMatchObject({ status: 200 });
      expect(shown(byPath.tokens)).toHaveLength(times);
    }
  });

  test('that was let in counts for the grace, with another token too, while its registry is out of reach', async () => {
    await using two = await startTwo({ graceMs: 60_000 });
    const { scene, byPath, segment } = two;
    const layer = Buffer.from('layer');
    scene.cache.set(digestOf(layer), { content: layer });
    const target = `/v2/${segment}/team/app/blobs/${digestOf(layer)}`;
    const scope = `repository:${segment}/team/app:pull`;
    expect(await withToken(scene, target, await tokenFor(scene, ME, scope))).toMatchObject({ status: 200 });
    await byPath.close();
    expect(await withToken(scene, target, await tokenFor(scene, ME, scope))).toMatchObject({ status: 200 });
    for (const login of [WRONG, undefined]) {
      const refused = await withToken(scene, target, await tokenFor(scene, login, scope));
      expect(refused.status).toBe(503);
    }
  });

  test('may be an identity token, or a form', async () => {
    await using two = await startTwo();
    const { scene, byPath, segment } = two;
    const target = `/v2/${segment}/team/app/manifests/v1`;
    const scope = `repository:${segment}/team/app:pull`;
    const url = `http://127.0.0.1:${scene.port}/v2/token`;
    for (const grant of [
      { grant_type: 'refresh_token', refresh_token: IDENTITY },
      { grant_type: 'password', username: USER, password: PASSWORD },
    ]) {
      const answer = await fetch(url, { method: 'POST', body: new URLSearchParams({ ...grant, scope }) });
      const { access_token: token } = (await answer.json()) as { access_token: string };
      expect(await withToken(scene, target, token)).toMatchObject({ status: 200 });
    }
    expect(byPath.asked.some((form) => form.get('refresh_token') === IDENTITY)).toBe(true);
    const none = await fetch(url, { method: 'POST', body: new URLSearchParams({ grant_type: 'x' }) });
    expect(none.status).toBe(400);
    const long = await fetch(url, { method: 'POST', body: 'x'.repeat(70_000) });
    expect(long.status).toBe(400);
    expect((await fetch(url, { method: 'PUT' })).status).toBe(405);
  });

  test('goes to a registry that wants the password itself, and to that alone', async () => {
    const words = '{"errors":[{"code":"UNAUTHORIZED","message":"not with this password"}]}';
    const plain = await serve((request, response) => {
      if (request.headers.authorization === ME) return void response.end(MANIFEST);
      response.writeHead(401, { 'www-authenticate': 'Basic realm="r"', 'content-type': 'application/json' });
      response.end(request.method === 'HEAD' ? undefined : words);
    });
    onTestFinished(() => plain.close());
    const reach = testRegistries();
    onTestFinished(() => reach.close());
    const name = `127.0.0.1:${plain.port}`;
    await using scene = await startScene({ registries: { [name]: plain.url }, reach });
    const segment = name.replace(':', '_');
    const target = `/v2/${segment}/team/app/manifests/v1`;
    const scope = `repository:${segment}/team/app:pull`;
    expect(await withToken(scene, target, await tokenFor(scene, ME, scope))).toMatchObject({ status: 200 });
    for (const login of [WRONG, undefined]) {
      const refused = await withToken(scene, target, await tokenFor(scene, login, scope));
      expect(refused.status).toBe(401);
      expect(refused.body.toString()).toBe(words);
      expect(refused.headers['www-authenticate']).toMatch(/^Bearer realm=/);
    }
  });
});

describe('a token of the mirror', () => {
  test('for who has no login opens what everybody may have', async () => {
    await using two = await startTwo();
    const { scene, byDefault } = two;
    byDefault.readers.add('');
    for (const login of [undefined, BASIC('', '')]) {
      const token = await tokenFor(scene, login, 'repository:team/app:pull');
      expect(await withToken(scene, '/v2/', token)).toMatchObject({ status: 200 });
      expect(await withToken(scene, '/v2/team/app/manifests/v1', token)).toMatchObject({ status: 200 });
    }
    expect(shown(byDefault.tokens)).toEqual([]);
  });

  test('ends after five minutes, and is then asked for anew; one of another daemon is the registry’s to judge', async () => {
    let laterMs = 0;
    const clock = { ...realClock, now: () => realClock.now() + laterMs };
    await using two = await startTwo({ clock });
    const { scene, byPath, segment } = two;
    const token = await tokenFor(scene, ME, `repository:${segment}/team/app:pull`);
    const target = `/v2/${segment}/team/app/manifests/v1`;
    expect(await withToken(scene, target, token)).toMatchObject({ status: 200 });
    laterMs = 300_000;
    for (const ended of [token, `shoal-${HOST}-guess`]) {
      for (const at of [target, '/v2/']) {
        const answer = await withToken(scene, at, ended);
        expect(answer.status).toBe(401);
        expect(answer.headers['www-authenticate']).toContain('error="invalid_token"');
      }
    }
    expect(shown(byPath.server).some((one) => one.includes('shoal-'))).toBe(false);
    expect(await withToken(scene, target, 'shoal-other-token')).toMatchObject({ status: 401 });
    expect(shown(byPath.server).at(-1)).toBe('Bearer shoal-other-token');
  });

  test('is another each time, and tells nothing of the login', async () => {
    await using two = await startTwo();
    const tokens = new Set<string>();
    for (let count = 0; count < 20; count += 1) {
      tokens.add(await tokenFor(two.scene, ME, `repository:${two.segment}/team/app:pull`));
    }
    expect(tokens.size).toBe(20);
    for (const token of tokens) {
      expect(token).toMatch(new RegExp(`^shoal-${HOST}-[A-Za-z0-9_-]{43}$`));
      expect(Buffer.from(token.slice(-43), 'base64url').toString('latin1')).not.toContain(PASSWORD);
    }
  });

  test('is refused to what is no login', async () => {
    await using scene = await startScene();
    for (const authorization of ['Basic', 'Basic !!!', 'Basic bm9jb2xvbg==', 'Bearer x']) {
      expect(await scene.ask('/v2/token', { authorization })).toMatchObject({ status: 401 });
    }
    await expect.poll(() => scene.counted.filter(([kind]) => kind === 'token')).toHaveLength(4);
  });
});

test('who shows credentials with the first request is not asked for others, and they go to nobody', async () => {
  await using two = await startTwo();
  const { scene, byDefault } = two;
  expect(await scene.ask('/v2/', { authorization: ME })).toMatchObject({ status: 200 });
  expect(byDefault.server.requests).toHaveLength(0);
});
