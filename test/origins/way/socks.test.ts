import { readFileSync } from 'node:fs';
import { type AddressInfo, createServer } from 'node:net';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { createAddressPolicy } from '../../../origins/address-policy.ts';
import type { ResolveName } from '../../../origins/connections.ts';
import { chooseProxy } from '../../../origins/way/proxy-choice.ts';
import { makeCa } from '../../../proxy/forward/make-ca.ts';
import { issue } from '../../support/certificates.ts';
import { startSocksProxy } from '../../support/socks-proxy.ts';
import { tempDir } from '../../support/temp-dir.ts';
import { ask, failure, file, gather, never, serve, testOrigin } from '../support.ts';

const CONTENT = Buffer.from('what the origin has');
const HOST = 'only-the-proxy-knows.example';

/** This machine knows `inside.example`, which is itself, and no other name. */
const resolve: ResolveName = (name, _, callback) => {
  if (name === 'inside.example') return callback(null, [{ address: '127.0.0.1', family: 4 }]);
  callback(Object.assign(new Error(`no such name ${name}`), { code: 'ENOTFOUND' }), []);
};

const reader = (all: string, { ca, connectMs = 60_000 }: { ca?: string; connectMs?: number } = {}) =>
  testOrigin({
    policy: createAddressPolicy({ allowOrigin: [], onlyOrigin: false }),
    proxy: chooseProxy({ all }, 0),
    limits: { tries: 1, connectMs },
    resolve,
    ...(ca !== undefined && { ca }),
  });

async function contentOf(from: ReturnType<typeof reader>, url: string): Promise<Buffer> {
  const gathered = gather();
  const answer = await from.probe({ ...ask(url), prefixBytes: 1000 }, never);
  if (answer.kind === 'content') await answer.body.pump(gathered.sink, never);
  return gathered.bytes;
}

test.each(['socks5://', 'socks5h://', 'socks5://me:sec%3Aret@'])(
  'http goes through %s, which is told the name; the connection is kept',
  async (before) => {
    await using proxy = await startSocksProxy(before.includes('@') ? 'me:sec:ret' : undefined);
    const origin = await serve(file(CONTENT));
    const from = reader(`${before}127.0.0.1:${proxy.port}`);
    for (let times = 0; times < 3; times += 1) {
      expect(await contentOf(from, `http://${HOST}:${origin.port}/a?b=c`)).toEqual(CONTENT);
    }
    expect(proxy.asked).toEqual([`3 ${HOST}:${origin.port}`]);
    expect(origin.requests.at(-1)).toMatchObject({
      url: '/a?b=c',
      headers: { host: `${HOST}:${origin.port}` },
    });
    expect(origin.requests.at(-1)?.headers).not.toHaveProperty('proxy-authorization');
    await from.close();
    await origin.close();
  },
);

test('https goes through it, and the certificate is that of the origin', async () => {
  await using dir = await tempDir();
  await using proxy = await startSocksProxy();
  const ca = await makeCa(join(dir.path, 'ca'), { name: 'a CA', days: 2 });
  const origin = await serve(file(CONTENT), await issue(dir.path, ca, HOST));
  const url = `https://${HOST}:${origin.port}/a`;
  const trusting = reader(`socks5://127.0.0.1:${proxy.port}`, { ca: readFileSync(ca.certFile, 'utf8') });
  expect(await contentOf(trusting, url)).toEqual(CONTENT);
  const doubting = reader(`socks5://127.0.0.1:${proxy.port}`);
  expect(await failure(contentOf(doubting, url))).toMatchObject({ code: 'ERR_SOURCE_TLS' });
  for (const from of [trusting, doubting]) await from.close();
  await origin.close();
});

test('addresses are told as such, and closed ones are asked for by nobody', async () => {
  await using proxy = await startSocksProxy();
  const origin = await serve(file(CONTENT));
  const from = reader(`socks5://127.0.0.1:${proxy.port}`);
  for (const host of ['10.1.2.3', '[2001:db8::1]']) {
    expect(await contentOf(from, `http://${host}:${origin.port}/`)).toEqual(CONTENT);
  }
  expect(proxy.asked).toEqual([
    `1 10.1.2.3:${origin.port}`,
    `4 20010db8000000000000000000000001:${origin.port}`,
  ]);
  for (const host of ['127.0.0.1', 'localhost', '169.254.169.254', 'inside.example']) {
    const error = await failure(contentOf(from, `http://${host}:${origin.port}/`));
    expect(error.code, host).toBe('ERR_SOURCE_ADDRESS_REFUSED');
  }
  expect(proxy.asked.length).toBe(2);
  await from.close();
  await origin.close();
});

test('what a proxy refuses is said, and never its login', async () => {
  await using open = await startSocksProxy();
  await using closed = await startSocksProxy('me:secret');
  const other = await serve((_, response) => response.end('no SOCKS'));
  const silent = createServer((socket) => void socket.resume());
  await new Promise<void>((done) => silent.listen(0, '127.0.0.1', done));
  const { port } = silent.address() as AddressInfo;
  const cases: [string, string, number?][] = [
    [`me:wrong@127.0.0.1:${closed.port}`, 'refuses the login'],
    [`127.0.0.1:${closed.port}`, 'wants a login'],
    [`127.0.0.1:${open.port}`, `was refused by ${HOST}:1`],
    [`127.0.0.1:${other.port}`, 'does not speak SOCKS 5'],
    [`127.0.0.1:${port}`, 'within 50 ms', 50],
    ['127.0.0.1:1', 'the proxy 127.0.0.1:1'],
  ];
  for (const [at, says, connectMs] of cases) {
    const from = reader(`socks5://${at}`, connectMs === undefined ? {} : { connectMs });
    const error = await failure(contentOf(from, `http://${HOST}:1/`));
    expect(error).toMatchObject({ code: 'ERR_SOURCE_UNAVAILABLE', message: expect.stringContaining(says) });
    expect(JSON.stringify(error.toWire())).not.toContain('wrong');
    await from.close();
  }
  await other.close();
  await new Promise((done) => silent.close(done));
});
