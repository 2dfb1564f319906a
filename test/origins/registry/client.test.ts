import { describe, expect, test } from 'vitest';
import { file, never, realClock } from '../support.ts';
import { clientFor, content, fake, get, login, opened, server } from './client-scene.ts';
import { IDENTITY, PASSWORD, testRegistries, USER } from './support.ts';

describe('a question to a registry', () => {
  test('that asks for nothing is answered as anybody', async () => {
    const plain = await server(file(content));
    const { client } = opened(testRegistries());
    const answer = await client.ask(get(plain.url), never);
    expect(answer).toMatchObject({ status: 200, as: 'anonymous' });
    expect(Buffer.from(answer.body)).toEqual(content);
    expect(plain.requests[0]?.headers).toMatchObject({ accept: 'application/test', via: '1.1 me' });
  });

  test('with HEAD tells the length and has no body', async () => {
    const registry = await fake();
    const { client } = opened(testRegistries());
    const answer = await client.ask(get(registry.server.url, { method: 'HEAD' }), never);
    expect(answer).toMatchObject({ status: 200, headers: { 'content-length': String(content.length) } });
    expect(answer.body).toHaveLength(0);
  });

  test('behind a token is danced for once, and then sent with it at once', async () => {
    const registry = await fake();
    const { client } = opened(testRegistries());
    const all = await Promise.all([1, 2, 3].map(() => client.ask(get(registry.server.url), never)));
    expect(all.map(({ status, as }) => `${status} ${as}`)).toEqual(new Array(3).fill('200 anonymous'));
    expect(registry.asked).toHaveLength(1);
    expect([...(registry.asked[0] ?? [])]).toEqual([
      ['service', 'fake'],
      ['scope', 'repository:team/app:pull'],
    ]);
    const before = registry.server.requests.length;
    await client.ask(get(registry.server.url), never);
    expect(registry.server.requests.length - before).toBe(1);
    await client.ask(get(registry.server.url, { path: '/v2/other/manifests/1' }), never);
    expect(registry.asked).toHaveLength(2);
  });

  test('that is challenged without a scope asks for a token to pull from its repository', async () => {
    const registry = await fake({ scopeless: true });
    const clients = [
      opened(testRegistries()).client,
      clientFor(registry.server, login(USER, PASSWORD)),
      clientFor(registry.server, { identitytoken: IDENTITY }),
    ];
    for (const client of clients) {
      expect(await client.ask(get(registry.server.url), never)).toMatchObject({ status: 200 });
      expect(registry.asked.at(-1)?.getAll('scope')).toEqual(['repository:team/app:pull']);
    }
    await clients[0]?.ask(get(registry.server.url, { path: '/v2/' }), never);
    expect(registry.asked.at(-1)?.has('scope')).toBe(false);
  });

  test('uses what is configured, and says so', async () => {
    const registry = await fake();
    registry.readers.clear();
    registry.readers.add(USER);
    const { client } = opened(testRegistries());
    expect(await client.ask(get(registry.server.url), never)).toMatchObject({
      status: 401,
      as: 'anonymous',
      headers: { 'www-authenticate': expect.stringContaining('Bearer realm=') },
    });
    const configured = clientFor(registry.server, login(USER, PASSWORD));
    expect(await configured.ask(get(registry.server.url), never)).toMatchObject({
      status: 200,
      as: 'configured',
    });
    expect(registry.asked.at(-1)?.get('account')).toBe(USER);
  });

  test('gives an identity token by POST, and by the older way to a server that knows no other', async () => {
    for (const knowsPost of [true, false]) {
      const registry = await fake({ knowsPost });
      registry.readers.clear();
      registry.readers.add(USER);
      const client = clientFor(registry.server, { identitytoken: IDENTITY });
      expect(await client.ask(get(registry.server.url), never)).toMatchObject({
        status: 200,
        as: 'configured',
      });
      expect(Object.fromEntries(registry.asked[0] ?? [])).toEqual({
        grant_type: 'refresh_token',
        refresh_token: IDENTITY,
        client_id: 'shoal',
        service: 'fake',
        scope: 'repository:team/app:pull',
      });
      expect(registry.asked).toHaveLength(knowsPost ? 1 : 2);
    }
  });

  test('goes on as anybody where its credentials are wrong, and does not try those again at once', async () => {
    const registry = await fake();
    const warnings: string[] = [];
    const client = clientFor(registry.server, login(USER, 'wrong'), {
      warn: (_fields, text) => void warnings.push(text),
    });
    expect(await client.ask(get(registry.server.url), never)).toMatchObject({ status: 200, as: 'anonymous' });
    registry.expire();
    expect(await client.ask(get(registry.server.url), never)).toMatchObject({ status: 200, as: 'anonymous' });
    expect(
      registry.tokens.requests.filter(({ headers }) => headers.authorization !== undefined),
    ).toHaveLength(1);
    expect(warnings).toEqual(['the credentials configured for a registry were refused']);
  });

  test("with the client's own authorization passes it on, and its refusal", async () => {
    const registry = await fake();
    const client = clientFor(registry.server, login(USER, PASSWORD));
    const asked = get(registry.server.url, { authorization: 'Bearer mine' });
    expect(await client.ask(asked, never)).toMatchObject({ status: 401, as: 'client' });
    expect(registry.asked).toHaveLength(0);
    expect(registry.server.requests.map(({ headers }) => headers.authorization)).toEqual(['Bearer mine']);
  });

  test('renews a token that ran out by the time its server told, or before', async () => {
    let nowMs = 0;
    const registry = await fake({ said: { expires_in: 100 } });
    const { client } = opened(testRegistries({ clock: { ...realClock, now: () => nowMs } }));
    const ask = () => client.ask(get(registry.server.url), never);
    await ask();
    nowMs += 89_000;
    await ask();
    expect(registry.asked).toHaveLength(1);
    nowMs += 2_000;
    expect((await ask()).status).toBe(200);
    expect(registry.asked).toHaveLength(2);
    registry.expire();
    expect((await ask()).status).toBe(200);
    expect(registry.asked).toHaveLength(3);
    // The first refusal, and that of the token that ended before its time.
    expect(registry.server.requests).toHaveLength(6);
  });

  test('behind a password sends it where it is configured, and a wrong one once', async () => {
    const basic = `Basic ${Buffer.from(`${USER}:${PASSWORD}`).toString('base64')}`;
    const plain = await server((request, response, seen) => {
      if (request.headers.authorization === basic) return file(content)(request, response, seen);
      response.writeHead(401, { 'www-authenticate': 'Basic realm="r"' }).end();
    });
    const right = clientFor(plain, login(USER, PASSWORD));
    expect(await right.ask(get(plain.url), never)).toMatchObject({ status: 200, as: 'configured' });
    expect(await right.ask(get(plain.url), never)).toMatchObject({ status: 200, as: 'configured' });
    expect(plain.requests).toHaveLength(3);
    const wrong = clientFor(plain, login(USER, 'wrong'));
    for (let turn = 0; turn < 3; turn += 1)
      expect(await wrong.ask(get(plain.url), never)).toMatchObject({
        status: 401,
        headers: { 'www-authenticate': 'Basic realm="r"' },
      });
    expect(plain.requests.slice(3).filter(({ headers }) => headers.authorization !== undefined)).toHaveLength(
      1,
    );
  });
});
