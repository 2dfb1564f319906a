import { readFileSync } from 'node:fs';
import { type AddressInfo, createServer } from 'node:net';
import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import type { Logger } from '../../../core/logger.ts';
import { createAddressPolicy } from '../../../origins/address-policy.ts';
import type { ResolveName } from '../../../origins/connections.ts';
import { chooseProxy } from '../../../origins/way/proxy-choice.ts';
import { makeCa } from '../../../proxy/forward/make-ca.ts';
import { issue } from '../../support/certificates.ts';
import { tempDir } from '../../support/temp-dir.ts';
import { startUpstreamProxy, type UpstreamProxy } from '../../support/upstream-proxy.ts';
import { ask, failure, file, gather, never, serve, type TestServer, testOrigin } from '../support.ts';

const CONTENT = Buffer.from('what the origin has');
let proxy: UpstreamProxy;
let origin: TestServer;
const lines: string[] = [];
const note = (fields: object, message: string) => void lines.push(JSON.stringify(fields) + message);
const logger: Logger = { debug: note, info: note, warn: note, error: note };

/** This machine knows `inside.example`, which is itself, and `outside.example`; no other name. */
const resolve: ResolveName = (name, _, callback) => {
  const known: Record<string, string> = { 'inside.example': '127.0.0.1', 'outside.example': '192.0.2.1' };
  const address = known[name];
  if (address !== undefined) return callback(null, [{ address, family: 4 }]);
  callback(Object.assign(new Error(`no such name ${name}`), { code: 'ENOTFOUND' }), []);
};

function reader(login = 'me:secret', more: { allow?: string[]; only?: boolean; ca?: string } = {}) {
  const { allow = [], only = false, ca } = more;
  return testOrigin({
    policy: createAddressPolicy({ allowOrigin: allow, onlyOrigin: only }),
    proxy: chooseProxy({ all: `http://${login}@127.0.0.1:${proxy.port}` }, 0),
    limits: { tries: 1 },
    resolve,
    logger,
    ...(ca !== undefined && { ca }),
  });
}

beforeAll(async () => {
  proxy = await startUpstreamProxy('me:secret');
  origin = await serve(file(CONTENT));
});
beforeEach(() => {
  proxy.asked.length = 0;
});
afterAll(async () => {
  await proxy[Symbol.asyncDispose]();
  await origin.close();
  expect(lines.join('\n')).not.toContain('secret');
  expect(lines.join('\n')).not.toContain(Buffer.from('me:secret').toString('base64'));
});

async function contentOf(from: ReturnType<typeof reader>, url: string): Promise<Buffer> {
  const gathered = gather();
  try {
    const answer = await from.probe({ ...ask(url), prefixBytes: 1000 }, never);
    if (answer.kind === 'content') await answer.body.pump(gathered.sink, never);
    return gathered.bytes;
  } finally {
    await from.close();
  }
}

test.each(['outside.example', 'only-the-proxy-knows.example'])(
  'http at %s is asked of the proxy, which alone hears its login',
  async (host) => {
    const url = `http://${host}:${origin.port}/a?b=c`;
    expect(await contentOf(reader(), url)).toEqual(CONTENT);
    expect(proxy.asked).toEqual([`GET ${url}`]);
    const headers = origin.requests.at(-1)?.headers;
    expect(headers).toMatchObject({ host: `${host}:${origin.port}` });
    expect(headers).not.toHaveProperty('proxy-authorization');
  },
);

test('https is asked through a tunnel, and the certificate is that of the origin', async () => {
  await using dir = await tempDir();
  const ca = await makeCa(join(dir.path, 'ca'), { name: 'a CA', days: 2 });
  const tls = await serve(file(CONTENT), await issue(dir.path, ca, 'only-the-proxy-knows.example'));
  try {
    const trusting = () => reader('me:secret', { ca: readFileSync(ca.certFile, 'utf8') });
    const url = `https://only-the-proxy-knows.example:${tls.port}/a`;
    expect(await contentOf(trusting(), url)).toEqual(CONTENT);
    expect(proxy.asked).toEqual([`CONNECT only-the-proxy-knows.example:${tls.port}`]);
    const others = [contentOf(trusting(), `https://outside.example:${tls.port}/`), contentOf(reader(), url)];
    for (const other of others) expect(await failure(other)).toMatchObject({ code: 'ERR_SOURCE_TLS' });
  } finally {
    await tls.close();
  }
});

test('a connection to the proxy is kept for the next request of the same origin', async () => {
  const from = reader();
  const before = proxy.connections;
  for (let times = 0; times < 3; times += 1) {
    const answer = await from.probe(
      { ...ask(`http://outside.example:${origin.port}/`), prefixBytes: 1000 },
      never,
    );
    if (answer.kind === 'content') await answer.body.pump(() => undefined, never);
  }
  expect(proxy.asked.length).toBe(3);
  expect(proxy.connections - before).toBe(1);
  await from.close();
});

describe('a proxy leads to no address that is closed', () => {
  test.each([
    ['an address', () => `http://127.0.0.1:${origin.port}/`],
    ['an address, by a tunnel', () => `https://127.0.0.1:${origin.port}/`],
    ['an address in another form', () => `http://[::ffff:127.0.0.1]:${origin.port}/`],
    ['localhost', () => `http://localhost:${origin.port}/`],
    ['the metadata of a cloud', () => 'http://169.254.169.254/latest/meta-data'],
    ['a name that stands for one', () => `http://inside.example:${origin.port}/`],
    ['a name that stands for one, by a tunnel', () => `https://inside.example:${origin.port}/`],
  ])('%s', async (_, url) => {
    const error = await failure(contentOf(reader(), url()));
    expect(error.code).toBe('ERR_SOURCE_ADDRESS_REFUSED');
    expect(proxy.asked).toEqual([]);
  });

  test('where a redirect leads', async () => {
    const away = await serve((_, response) => {
      response.writeHead(302, { location: `http://inside.example:${origin.port}/` }).end();
    });
    const error = await failure(contentOf(reader(), `http://outside.example:${away.port}/`));
    expect(error.code).toBe('ERR_SOURCE_ADDRESS_REFUSED');
    expect(proxy.asked.length).toBe(1);
    await away.close();
  });

  test('what was named is open, by its name alone where only some are', async () => {
    const named = { allow: ['inside.example'] };
    expect(await contentOf(reader('me:secret', named), `http://inside.example:${origin.port}/`)).toEqual(
      CONTENT,
    );
    const only = { allow: ['10.0.0.0/8', 'named.example'], only: true };
    expect(await contentOf(reader('me:secret', only), `http://named.example:${origin.port}/`)).toEqual(
      CONTENT,
    );
    const error = await failure(contentOf(reader('me:secret', only), `http://other.example:${origin.port}/`));
    expect(error.code).toBe('ERR_SOURCE_ADDRESS_REFUSED');
  });
});

describe('a proxy that does not help', () => {
  test.each(['http', 'https'])('by a wrong login, for %s: 407 is told, and not the login', async (scheme) => {
    const error = await failure(contentOf(reader('me:wrong'), `${scheme}://outside.example:${origin.port}/`));
    expect(error.code).toBe('ERR_SOURCE_UNAVAILABLE');
    expect(error.message).toContain('407');
    expect(JSON.stringify(error.toWire())).not.toContain('wrong');
  });

  test.each(['http', 'https'])('by not being there, for %s', async (scheme) => {
    const from = testOrigin({
      proxy: chooseProxy({ all: 'http://u:p@127.0.0.1:1' }, 0),
      limits: { tries: 1 },
      resolve,
    });
    const error = await failure(contentOf(from, `${scheme}://outside.example/`));
    expect(error.code).toBe('ERR_SOURCE_UNAVAILABLE');
    expect(error.message).toContain('the proxy 127.0.0.1:1');
  });

  test('by saying nothing', async () => {
    const silent = createServer(() => {});
    await new Promise<void>((done) => silent.listen(0, '127.0.0.1', done));
    const { port } = silent.address() as AddressInfo;
    const all = `http://127.0.0.1:${port}`;
    const from = testOrigin({ proxy: chooseProxy({ all }, 0), limits: { tries: 1, connectMs: 50 }, resolve });
    const error = await failure(contentOf(from, 'https://outside.example/'));
    expect(error.message).toContain('within 50 ms');
    silent.close();
  });
});
