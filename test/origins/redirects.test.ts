import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, describe, expect, test } from 'vitest';
import { createAddressPolicy } from '../../origins/address-policy.ts';
import { ask, failure, file, gather, never, serve, type TestServer, testOrigin } from './support.ts';

const content = Buffer.from('some content');
const servers: TestServer[] = [];
const dir = mkdtempSync(join(tmpdir(), 'shoal-tls-'));
execFileSync(
  'openssl',
  [
    'req',
    '-x509',
    '-newkey',
    'ec',
    '-pkeyopt',
    'ec_paramgen_curve:prime256v1',
    '-nodes',
    '-days',
    '2',
    '-subj',
    '/CN=test',
    '-addext',
    'subjectAltName=IP:127.0.0.1',
    '-keyout',
    join(dir, 'key.pem'),
    '-out',
    join(dir, 'cert.pem'),
  ],
  { stdio: 'ignore' },
);
const tls = {
  key: readFileSync(join(dir, 'key.pem'), 'utf8'),
  cert: readFileSync(join(dir, 'cert.pem'), 'utf8'),
};

async function started(...args: Parameters<typeof serve>): Promise<TestServer> {
  const server = await serve(...args);
  servers.push(server);
  return server;
}

const to = (location: () => string, status = 302) =>
  ((_request, response) => {
    response.writeHead(status, { location: location() }).end();
  }) satisfies Parameters<typeof serve>[0];

async function get(origin: ReturnType<typeof testOrigin>, url: string, headers: Record<string, string> = {}) {
  const answer = await origin.probe({ ...ask(url, headers), prefixBytes: 100 }, never);
  if (answer.kind !== 'content') throw new Error('no content');
  const body = gather();
  await answer.body.pump(body.sink, never);
  return { ...answer, text: body.bytes.toString() };
}

afterEach(async () => {
  for (const server of servers.splice(0)) await server.close();
});
afterAll(() => rmSync(dir, { recursive: true }));

const secrets = {
  Authorization: 'Bearer secret',
  Cookie: 'id=secret',
  'X-Api-Key': 'secret',
  Accept: 'text/plain',
};

describe('redirects', () => {
  test.each([301, 302, 303, 307, 308])(
    'a %i is followed, with the headers of the caller on the same host',
    async (status) => {
      const server = await started((request, response, seen) => {
        if (request.url === '/a') response.writeHead(status, { location: '/b?x=1' }).end();
        else file(content)(request, response, seen);
      });
      const answer = await get(testOrigin(), `${server.url}/a`, secrets);
      expect(answer.text).toBe('some content');
      expect(server.requests[1]).toMatchObject({
        url: '/b?x=1',
        headers: { authorization: 'Bearer secret', cookie: 'id=secret', range: 'bytes=0-99' },
      });
      expect(answer.probed.audience).toBe('source');
    },
  );

  test('no credential goes to another port, nor back after it', async () => {
    let home = '';
    const away: TestServer = await started(to(() => `${home}/back`));
    const server = await started((request, response, seen) => {
      if (request.url === '/a') response.writeHead(302, { location: `${away.url}/x` }).end();
      else file(content)(request, response, seen);
    });
    home = server.url;
    const answer = await get(testOrigin(), `${server.url}/a`, secrets);
    expect(answer.probed.audience).toBe('source');
    for (const request of [away.requests[0], server.requests[1]]) {
      expect(JSON.stringify(request?.headers)).not.toContain('secret');
      expect(request?.headers).toMatchObject({ accept: 'text/plain', range: 'bytes=0-99' });
    }
  });

  test('no credential goes to another host name on the same port, and user-info in a redirect is dropped', async () => {
    const server = await started((request, response, seen) => {
      if (request.url === '/a')
        response.writeHead(302, { location: `http://user:pw@localhost:${server.port}/b` }).end();
      else file(content)(request, response, seen);
    });
    await get(testOrigin(), `${server.url}/a`, secrets);
    expect(server.requests[1]?.headers.authorization).toBeUndefined();
    expect(JSON.stringify(server.requests[1]?.headers)).not.toContain('secret');
  });

  test('more than five are too many', async () => {
    const server = await started((request, response) => {
      response.writeHead(302, { location: `/${Number(request.url?.slice(1) ?? 0) + 1}` }).end();
    });
    expect(await failure(get(testOrigin(), `${server.url}/0`))).toMatchObject({
      code: 'ERR_SOURCE_PROTOCOL',
    });
    expect(server.requests).toHaveLength(6);
  });

  test.each(['ftp://127.0.0.1/x', 'file:///etc/passwd', 'http://', 'javascript:alert(1)'])(
    'one to %s is refused',
    async (location) => {
      const server = await started(to(() => location));
      expect(await failure(get(testOrigin(), server.url))).toMatchObject({ code: 'ERR_SOURCE_PROTOCOL' });
    },
  );
});

describe('addresses', () => {
  test.each([
    'http://169.254.169.254/latest/',
    'http://[::1]:1/',
    'http://0x7f000003:1/',
    'http://[::ffff:127.0.0.3]:1/',
  ])('a redirect to %s is refused and not tried again', async (location) => {
    const server = await started(to(() => location));
    expect(await failure(get(testOrigin(), server.url))).toMatchObject({
      code: 'ERR_SOURCE_ADDRESS_REFUSED',
    });
    expect(server.requests).toHaveLength(1);
  });

  test('a name is refused by what it resolves to', async () => {
    const server = await started(file(content));
    const policy = createAddressPolicy({ allowOrigin: [], onlyOrigin: false });
    // As a name that is not known for loopback would be.
    const blind = { ...policy, allowsHost: () => true };
    const error = await failure(get(testOrigin({ policy: blind }), `http://localhost:${server.port}/`));
    expect(error).toMatchObject({ code: 'ERR_SOURCE_ADDRESS_REFUSED' });
    expect(server.requests).toHaveLength(0);
  });

  test('a loopback origin is refused before anything is sent, and read where it is named', async () => {
    const server = await started(file(content));
    const closed = testOrigin({ policy: createAddressPolicy({ allowOrigin: [], onlyOrigin: false }) });
    expect(closed.allows(server.url)).toBe(false);
    expect(await failure(get(closed, server.url))).toMatchObject({ code: 'ERR_SOURCE_ADDRESS_REFUSED' });
    expect(server.connections).toBe(0);
    const named = testOrigin({
      policy: createAddressPolicy({ allowOrigin: [`localhost:${server.port}`], onlyOrigin: true }),
    });
    expect((await get(named, `http://localhost:${server.port}/`)).text).toBe('some content');
    expect(named.allows('not a url')).toBe(false);
    expect(named.allows('ftp://localhost/')).toBe(false);
  });
});

describe('TLS', () => {
  test('a certificate nobody vouches for is refused, in words', async () => {
    const server = await started(file(content), tls);
    const error = await failure(get(testOrigin(), server.url));
    expect(error).toMatchObject({ code: 'ERR_SOURCE_TLS' });
    expect(error.message).toMatch(/self-signed/);
    expect(server.requests).toHaveLength(0);
  });

  test('a certificate of a trusted authority is accepted, for its own host alone', async () => {
    const server = await started(file(content), tls);
    const trusting = testOrigin({ ca: tls.cert });
    expect((await get(trusting, server.url)).text).toBe('some content');
    expect(await failure(get(trusting, `https://localhost:${server.port}/`))).toMatchObject({
      code: 'ERR_SOURCE_TLS',
    });
  });

  test('no redirect leads from https down to http', async () => {
    const plain = await started(file(content));
    const server = await started(
      to(() => plain.url),
      tls,
    );
    expect(await failure(get(testOrigin({ ca: tls.cert }), server.url))).toMatchObject({
      code: 'ERR_SOURCE_PROTOCOL',
    });
    expect(plain.requests).toHaveLength(0);
  });

  test('a server without TLS is no https origin', async () => {
    const server = await started(file(content));
    const error = await failure(get(testOrigin(), server.url.replace('http:', 'https:')));
    expect(error).toMatchObject({ code: 'ERR_SOURCE_TLS' });
  });
});
