import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, describe, expect, test } from 'vitest';
import { MANIFEST_ACCEPT } from '../../../core/oci-manifest.ts';
import { ask, failure, file, gather, never, serve } from '../support.ts';
import { PASSWORD, startFakeRegistry, testRegistries, USER } from './support.ts';

const content = Buffer.from(Array.from({ length: 300_000 }, (_, index) => (index * 7) % 251));
const blob = `/v2/team/app/blobs/sha256:${'ab'.repeat(32)}`;
const whole = { range: { start: 0, end: content.length }, expect: { etag: '"v1"', length: content.length } };
const closing: Array<{ close(): Promise<void> }> = [];

afterEach(async () => {
  for (const one of closing.splice(0)) await one.close();
});

function opened<T extends { close(): Promise<void> }>(one: T): T {
  closing.push(one);
  return one;
}

async function fake(options?: Parameters<typeof startFakeRegistry>[1]) {
  return opened(await startFakeRegistry(content, options));
}

async function probed(origin: ReturnType<typeof testRegistries>['origin'], url: string, headers = {}) {
  const answer = await origin.probe({ ...ask(url, headers), prefixBytes: 10 }, never);
  if (answer.kind !== 'content') throw new Error(answer.kind);
  answer.body.discard();
  return answer.probed;
}

describe('reading a registry', () => {
  test('as anybody gives public content, with what this host calls itself', async () => {
    const registry = await fake();
    const { origin } = opened(testRegistries());
    expect(await probed(origin, `${registry.server.url}${blob}`)).toMatchObject({
      audience: 'public',
      length: content.length,
    });
    expect(registry.server.requests.map(({ headers }) => headers.via)).toEqual(
      new Array(2).fill('1.1 shoal-test'),
    );
    const { headers } = registry.server.requests[1] ?? {};
    expect(headers?.accept).toBeUndefined();
    await probed(origin, `${registry.server.url}${blob}`, { via: '1.1 other' });
    expect(registry.server.requests.at(-1)?.headers.via).toBe('1.1 other, 1.1 shoal-test');
  });

  test('asks for any manifest, unless the client asks for one kind', async () => {
    const plain = opened(await serve(file(content)));
    const { origin } = opened(testRegistries());
    const url = `${plain.url}/v2/team/app/manifests/1`;
    expect((await probed(origin, url)).audience).toBe('public');
    expect((await probed(origin, url, { Accept: 'a/b' })).audience).toBe('public');
    expect(plain.requests.map(({ headers }) => headers.accept)).toEqual([MANIFEST_ACCEPT, 'a/b']);
  });

  test('as somebody gives content that belongs to its source', async () => {
    const registry = await fake();
    registry.readers.clear();
    registry.readers.add(USER);
    const dir = mkdtempSync(join(tmpdir(), 'shoal-origin-'));
    const dockerConfig = join(dir, 'config.json');
    const entry = { username: USER, password: PASSWORD };
    writeFileSync(dockerConfig, JSON.stringify({ auths: { [`127.0.0.1:${registry.server.port}`]: entry } }));
    const { origin } = opened(testRegistries({ dockerConfig }));
    expect((await probed(origin, `${registry.server.url}${blob}`)).audience).toBe('source');
    rmSync(dir, { recursive: true });
    expect(await failure(probed(origin, `${registry.server.url}${blob}`))).toMatchObject({
      code: 'ERR_SOURCE_REFUSED',
      details: { status: 401, headers: { 'www-authenticate': expect.stringContaining('Bearer') } },
    });
  });

  test("with the client's authorization neither dances nor takes another", async () => {
    const registry = await fake();
    const { origin } = opened(testRegistries());
    const work = probed(origin, `${registry.server.url}${blob}`, { Authorization: 'Bearer mine' });
    expect(await failure(work)).toMatchObject({ code: 'ERR_SOURCE_REFUSED' });
    expect(registry.asked).toHaveLength(0);
  });

  test('goes on where it was with a new token when the old one runs out in the middle', async () => {
    let cuts = 0;
    const registry = await fake({
      instead: (request, response) => {
        if (request.headers.authorization === undefined || cuts >= 3) return false;
        if (cuts > 0 && !request.headers.range?.startsWith(`bytes=${cuts * 70_000}-`)) return false;
        const at = cuts * 70_000;
        // Too old a token is refused below; one that is not sends a piece, then ends with the connection.
        if (request.headers.authorization === expired) return false;
        expired = request.headers.authorization;
        cuts += 1;
        const head = {
          etag: '"v1"',
          'content-range': `bytes ${at}-${content.length - 1}/${content.length}`,
          'content-length': content.length - at,
        };
        response.writeHead(206, head);
        response.write(content.subarray(at, at + 70_000), () => {
          registry.expire();
          response.destroy();
        });
        return true;
      },
    });
    let expired = '';
    const { origin } = opened(testRegistries());
    const got = gather();
    await origin.read({ ...ask(`${registry.server.url}${blob}`), ...whole }, got.sink, never);
    expect(got.bytes.equals(content)).toBe(true);
    expect(cuts).toBe(3);
    expect(registry.asked.length).toBeGreaterThanOrEqual(4);
  });

  test('that is refused with a new token too ends there', async () => {
    const registry = await fake();
    registry.readers.clear();
    const { origin } = opened(testRegistries());
    const got = gather();
    const work = origin.read({ ...ask(`${registry.server.url}${blob}`), ...whole }, got.sink, never);
    expect(await failure(work)).toMatchObject({ code: 'ERR_SOURCE_REFUSED' });
    expect(registry.server.requests).toHaveLength(2);
  });

  test('follows to a blob store without the token, and answers no challenge from there', async () => {
    const store = opened(await serve(file(content)));
    let elsewhere = store.url;
    const registry = await fake({
      instead: (request, response) => {
        if (request.headers.authorization === undefined) return false;
        response.writeHead(307, { location: `${elsewhere}/x` }).end();
        return true;
      },
    });
    const { origin } = opened(testRegistries());
    expect((await probed(origin, `${registry.server.url}${blob}`)).audience).toBe('public');
    expect(store.requests[0]?.headers.authorization).toBeUndefined();
    const closed = opened(
      await serve((_request, response) => {
        response.writeHead(401, { 'www-authenticate': `Bearer realm="${registry.tokens.url}/t"` }).end();
      }),
    );
    elsewhere = closed.url;
    const before = registry.asked.length;
    expect(await failure(probed(origin, `${registry.server.url}${blob}`))).toMatchObject({
      code: 'ERR_SOURCE_REFUSED',
    });
    expect(registry.asked.length).toBe(before);
    expect(closed.requests).toHaveLength(1);
  });

  test('leaves everything else as it is', async () => {
    const plain = opened(
      await serve((_request, response) => {
        response.writeHead(401, { 'www-authenticate': 'Bearer realm="http://127.0.0.1:1/t"' }).end();
      }),
    );
    const { origin } = opened(testRegistries());
    expect(await failure(probed(origin, `${plain.url}/files/v2/x`))).toMatchObject({
      code: 'ERR_SOURCE_REFUSED',
    });
    expect(plain.requests[0]?.headers.via).toBeUndefined();
    expect(origin.allows('http://127.0.0.1/v2/')).toBe(true);
    expect(origin.allows('http://169.254.169.254/v2/')).toBe(false);
  });
});
