import { expect, test } from 'vitest';
import { ShoalError } from '../../../core/errors.ts';
import { chooseProxy, proxiesOfEnvironment, proxyAuthorization } from '../../../origins/way/proxy-choice.ts';

const PROXY = 'http://p.example:3128';

test.each([
  ['http://a.example/x', 'http', 'p.example:3128'],
  ['https://a.example/x', 'https', 's.example:443'],
  ['http://localhost:8080/x', 'http', undefined],
  ['http://127.0.0.9/x', 'http', undefined],
  ['http://[::1]:80/x', 'http', undefined],
])('%s goes by the proxy of %s: %s', (url, _, through) => {
  const env = { http_proxy: PROXY, HTTPS_PROXY: 'https://s.example' };
  const server = chooseProxy(proxiesOfEnvironment(env), 0)(new URL(url));
  expect(server && `${server.host}:${server.port}`).toBe(through);
});

test('small letters come first, a scheme may be left out, and what is empty is nothing', () => {
  const env = { http_proxy: 'a.example:1', HTTP_PROXY: PROXY, https_proxy: '', HTTPS_PROXY: PROXY };
  const choose = chooseProxy(proxiesOfEnvironment(env), 0);
  expect(choose(new URL('http://x.example/'))).toMatchObject({ speaks: 'http', host: 'a.example', port: 1 });
  expect(choose(new URL('https://x.example/'))?.host).toBe('p.example');
  expect(chooseProxy(proxiesOfEnvironment({}), 0)(new URL('http://x.example/'))).toBeUndefined();
});

test('ALL_PROXY stands for each scheme that has none of its own', () => {
  const env = { ALL_PROXY: 'socks5h://me:secret@s.example', https_proxy: PROXY };
  const choose = chooseProxy(proxiesOfEnvironment(env), 0);
  expect(choose(new URL('http://x.example/'))).toEqual({
    speaks: 'socks5',
    host: 's.example',
    port: 1080,
    login: { user: 'me', password: 'secret' },
  });
  expect(choose(new URL('https://x.example/'))?.host).toBe('p.example');
  expect(choose(new URL('http://127.0.0.1/'))).toBeUndefined();
});

test.each([
  ['socks5://s.example:1081', 's.example', 1081],
  ['socks5h://[fd00::1]', 'fd00::1', 1080],
])('%s is a proxy at %s, port %i', (all, host, port) => {
  const server = chooseProxy({ all }, 0)(new URL('https://x.example/'));
  expect(server).toEqual({ speaks: 'socks5', host, port, login: undefined });
});

test('of SOCKS, another version than the fifth is refused in words', () => {
  expect(() => chooseProxy({ http: 'socks4a://p.example' }, 0)).toThrow(/HTTP_PROXY .* version 5/);
});

test('one for all is that of this machine’s origins too; off is none; the daemon’s own is none', () => {
  const local = new URL('http://127.0.0.1:8080/');
  expect(chooseProxy({ all: PROXY, http: 'http://other:1' }, 0)(local)?.host).toBe('p.example');
  expect(chooseProxy({ all: 'off', http: PROXY }, 0)(new URL('http://x.example/'))).toBeUndefined();
  expect(
    chooseProxy({ http: 'http://127.0.0.1:65001' }, 65001)(new URL('http://x.example/')),
  ).toBeUndefined();
  expect(chooseProxy({ http: 'http://[::1]:3128' }, 65001)(new URL('http://x.example/'))?.host).toBe('::1');
});

test.each([
  ['example.com', 'http://example.com/', true],
  ['example.com', 'http://a.b.example.com/', true],
  ['example.com', 'http://anexample.com/', false],
  ['.example.com', 'http://a.example.com/', true],
  ['.example.com', 'http://example.com/', false],
  ['*.example.com', 'http://a.example.com/', true],
  ['EXAMPLE.com.', 'http://example.com/', true],
  ['example.com:8080', 'http://example.com:8080/', true],
  ['example.com:8080', 'http://example.com/', false],
  ['example.com:443', 'https://example.com/', true],
  ['*', 'http://anything.example/', true],
  ['10.0.0.0/8', 'http://10.1.2.3:5000/', true],
  ['10.0.0.0/8', 'http://11.1.2.3/', false],
  ['10.0.0.0/99', 'http://10.1.2.3/', false],
  ['192.0.2.7', 'http://192.0.2.7/', true],
  ['fd00::/8', 'http://[fd12::1]/', true],
  ['fd12::1', 'http://[fd12:0::1]:5000/', true],
  ['[fd12::1]:5000', 'http://[fd12::1]:5000/', true],
  ['[fd12::1]:5000', 'http://[fd12::1]/', false],
  ['a.example, b.example c.example', 'http://c.example/', true],
])('NO_PROXY=%s and %s: read without %s', (except, url, without) => {
  expect(chooseProxy({ all: PROXY, except }, 0)(new URL(url)) === undefined).toBe(without);
});

test('a login is sent as it was meant, and shows in no message', () => {
  const server = chooseProxy({ all: 'http://us%40er:pa%3Ass@p.example' }, 0)(new URL('http://x.example/'));
  expect(server && proxyAuthorization(server)).toEqual({
    'proxy-authorization': `Basic ${Buffer.from('us@er:pa:ss').toString('base64')}`,
  });
  for (const wrong of [
    'socks4://user:secret@p.example',
    'ftp://user:secret@p.example',
    'http://user:secret@',
    'user:secret@p.example:99999',
  ]) {
    let thrown: unknown;
    try {
      chooseProxy({ all: wrong }, 0);
    } catch (error) {
      thrown = error;
    }
    expect(thrown).toBeInstanceOf(ShoalError);
    expect(String(thrown)).not.toContain('secret');
  }
});
