import { describe, expect, test } from 'vitest';
import { failure, file, never } from '../support.ts';
import { clientFor, content, fake, get, login, opened, server } from './client-scene.ts';
import { IDENTITY, PASSWORD, testRegistries, USER } from './support.ts';

describe('a client of registries', () => {
  test('follows a redirect without its token, and answers no challenge from there', async () => {
    const elsewhere = await server((_request, response) => {
      response.writeHead(401, { 'www-authenticate': 'Basic realm="elsewhere"' }).end();
    });
    const registry = await fake({
      instead: (request, response) => {
        if (request.headers.authorization === undefined) return false;
        response.writeHead(307, { location: `${elsewhere.url}/blob` }).end();
        return true;
      },
    });
    const client = clientFor(registry.server, login(USER, PASSWORD));
    const answer = await client.ask(get(registry.server.url), never);
    expect(answer.status).toBe(401);
    expect(answer.headers['www-authenticate']).toBeUndefined();
    expect(elsewhere.requests).toHaveLength(1);
    expect(elsewhere.requests[0]?.headers.authorization).toBeUndefined();
  });

  test('sends no password along when the token server redirects elsewhere', async () => {
    const elsewhere = await server((_request, response) => void response.end('{"token":"t"}'));
    const realm = await server(
      (_request, response) => void response.writeHead(302, { location: elsewhere.url }).end(),
    );
    const plain = await server((_request, response) => {
      response.writeHead(401, { 'www-authenticate': `Bearer realm="${realm.url}/t"` }).end();
    });
    await clientFor(plain, login(USER, PASSWORD)).ask(get(plain.url), never);
    expect(realm.requests[0]?.headers.authorization).toMatch(/^Basic /);
    expect(elsewhere.requests[0]?.headers.authorization).toBeUndefined();
  });

  test('sends no credentials to a token server in the open, and reaches no address that is closed', async () => {
    let realm = 'http://169.254.169.254/token';
    const plain = await server((_request, response) => {
      response.writeHead(401, { 'www-authenticate': `Bearer realm="${realm}"` }).end();
    });
    const client = clientFor(plain, login(USER, PASSWORD));
    expect(await failure(client.ask(get(plain.url), never))).toMatchObject({
      code: 'ERR_SOURCE_ADDRESS_REFUSED',
    });
    const identity = clientFor(plain, { identitytoken: IDENTITY });
    expect(await failure(identity.ask(get(plain.url), never))).toMatchObject({
      code: 'ERR_SOURCE_ADDRESS_REFUSED',
    });
    realm = 'http://no-such-host.invalid/token';
    const warnings: string[] = [];
    const warned = clientFor(plain, login(USER, PASSWORD), {
      warn: (_fields, text) => void warnings.push(text),
    });
    expect(await failure(warned.ask(get(plain.url), never))).toMatchObject({
      code: 'ERR_SOURCE_UNAVAILABLE',
    });
    expect(warnings[0]).toContain('in the open');
  });

  test.each([
    ['is no JSON', 'no'],
    ['has none', '{"expires_in":5}'],
    ['would break a header', '{"token":"a\\r\\nx: y"}'],
    ['is endless', ' '.repeat(2_000_000)],
  ])('fails where the answer of the token server %s', async (_what, said) => {
    const realm = await server((_request, response) => void response.end(said));
    const plain = await server((_request, response) => {
      response.writeHead(401, { 'www-authenticate': `Bearer realm="${realm.url}"` }).end();
    });
    const { client } = opened(testRegistries());
    expect(await failure(client.ask(get(plain.url), never))).toMatchObject({ code: 'ERR_SOURCE_PROTOCOL' });
  });

  test('is told that the registry does not answer where the token server is out of order', async () => {
    const realm = await server((_request, response) => void response.writeHead(503).end());
    const plain = await server((_request, response) => {
      response.writeHead(401, { 'www-authenticate': `Bearer realm="${realm.url}"` }).end();
    });
    const { client } = opened(testRegistries());
    expect(await failure(client.ask(get(plain.url), never))).toMatchObject({
      code: 'ERR_SOURCE_UNAVAILABLE',
    });
  });

  test('asks again after a 5xx, and gives every other status back', async () => {
    const flaky = await server((request, response, seen) => {
      if (seen === 1) response.writeHead(502).end();
      else file(content)(request, response, seen);
    });
    const { client } = opened(testRegistries());
    expect((await client.ask(get(flaky.url), never)).status).toBe(200);
    for (const status of [403, 404, 405, 429, 501]) {
      const other = await server((_request, response) => void response.writeHead(status).end('{}'));
      expect((await client.ask(get(other.url), never)).status).toBe(status);
      expect(other.requests).toHaveLength(1);
    }
    const down = await server((_request, response) => void response.writeHead(500).end());
    expect(await failure(client.ask(get(down.url), never))).toMatchObject({ code: 'ERR_SOURCE_UNAVAILABLE' });
    expect(down.requests).toHaveLength(3);
  });

  test('refuses a body without end, and takes none where a range was wanted and the whole comes', async () => {
    const long = await server((_request, response) => {
      response.writeHead(200);
      const more = () => {
        while (response.write(Buffer.alloc(1024 * 1024)));
        response.once('drain', more);
      };
      more();
    });
    const { client } = opened(testRegistries());
    expect(await failure(client.ask(get(long.url), never))).toMatchObject({ code: 'ERR_SOURCE_PROTOCOL' });
    const probing = await client.ask(get(long.url, { headers: { range: 'bytes=0-0' } }), never);
    expect([probing.status, probing.body.length]).toEqual([200, 0]);
    await expect.poll(() => long.running).toBe(0);
  });

  test('asks for nothing but its path', async () => {
    const plain = await server(file(content));
    const { client } = opened(testRegistries());
    for (const bad of [
      '/etc/passwd',
      '/v2',
      '@evil.com/v2/a',
      '/v2/../x',
      '/v2/a/../../x',
      '/v2/a b/',
      '/v2/\n',
    ])
      expect(await failure(client.ask(get(plain.url, { path: bad }), never))).toMatchObject({
        code: 'ERR_SOURCE_URL_INVALID',
      });
    expect(plain.requests).toHaveLength(0);
    const metadata = client.ask(get('http://169.254.169.254'), never);
    expect(await failure(metadata)).toMatchObject({ code: 'ERR_SOURCE_ADDRESS_REFUSED' });
  });

  test('stops with whoever asked, though others wait for the same token', async () => {
    let release = () => {};
    const realm = await server((_request, response) => {
      release = () => void response.end('{"token":"t"}');
    });
    const plain = await server((request, response, seen) => {
      if (request.headers.authorization === 'Bearer t') return file(content)(request, response, seen);
      response.writeHead(401, { 'www-authenticate': `Bearer realm="${realm.url}"` }).end();
    });
    const { client } = opened(testRegistries());
    const one = new AbortController();
    const first = client.ask(get(plain.url), one.signal);
    const second = client.ask(get(plain.url), never);
    await expect.poll(() => realm.requests.length).toBe(1);
    one.abort(new Error('gone'));
    await expect(first).rejects.toThrow('gone');
    release();
    expect((await second).status).toBe(200);
    expect(realm.requests).toHaveLength(1);
  });
});
