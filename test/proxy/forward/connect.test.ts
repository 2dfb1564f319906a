import { X509Certificate } from 'node:crypto';
import { once } from 'node:events';
import { chmodSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { createServer as createTlsServer } from 'node:https';
import { type AddressInfo, connect, createServer, type Socket } from 'node:net';
import { join } from 'node:path';
import { connect as connectTls, type TLSSocket } from 'node:tls';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { loadCa } from '../../../proxy/forward/ca.ts';
import { FORWARD_LIMITS } from '../../../proxy/forward/limits.ts';
import { type MadeCa, makeCa } from '../../../proxy/forward/make-ca.ts';
import { type TempDir, tempDir } from '../../support/temp-dir.ts';
import { raw, startProxy, statusOf, type TestProxy } from './support.ts';

const CONTENT = Buffer.alloc(2 * 1024 * 1024 + 5, 'shoal');
let dir: TempDir;
let proxyCa: MadeCa;
let originCa: MadeCa;
let origin: ReturnType<typeof createTlsServer>;
let originPort: number;
const requests: string[] = [];
let proxy: TestProxy;
let plain: TestProxy;

beforeAll(async () => {
  dir = await tempDir();
  proxyCa = await makeCa(join(dir.path, 'proxy'), { name: 'proxy', days: 10 });
  originCa = await makeCa(join(dir.path, 'origin'), { name: 'origin', days: 10 });
  const authority = await loadCa(originCa.certFile, originCa.keyFile);
  origin = createTlsServer(
    {
      SNICallback: (name, done) =>
        authority.contextFor(name).then(
          (context) => done(null, context),
          (error: Error) => done(error),
        ),
    },
    (request, response) => {
      requests.push(`${request.method} ${request.headers.host} ${request.url}`);
      const isIso = request.url?.includes('.iso') ?? false;
      response.writeHead(200, { etag: '"e"', 'content-length': isIso ? CONTENT.length : 5 });
      response.end(isIso ? CONTENT : 'plain');
    },
  );
  await new Promise<void>((resolve) => origin.listen(0, '127.0.0.1', resolve));
  originPort = (origin.address() as AddressInfo).port;
  const trusted = readFileSync(originCa.certFile, 'utf8');
  const common = {
    connectPorts: [originPort],
    originCa: trusted,
    rules: [{ host: '127.0.0.1', use: 'direct' }] as const,
  };
  proxy = await startProxy({ ...common, ca: proxyCa });
  plain = await startProxy(common);
});
afterAll(async () => {
  await proxy[Symbol.asyncDispose]();
  await plain[Symbol.asyncDispose]();
  origin.closeAllConnections();
  origin.close();
  await dir[Symbol.asyncDispose]();
});

async function tunnel(
  port: number,
  authority: string,
  headers = '',
): Promise<{ socket: Socket; head: string }> {
  const socket = connect(port, '127.0.0.1');
  socket.write(`CONNECT ${authority} HTTP/1.1\r\nHost: ${authority}\r\n${headers}\r\n`);
  const [chunk] = (await once(socket, 'data')) as [Buffer];
  return { socket, head: chunk.toString('latin1') };
}

async function secure(port: number, host: string, servername: string, ca: MadeCa): Promise<TLSSocket> {
  const { socket, head } = await tunnel(port, `${host}:${originPort}`);
  expect(statusOf(head)).toBe(200);
  const tls = connectTls({
    socket,
    servername,
    ca: readFileSync(ca.certFile),
    ALPNProtocols: ['h2', 'http/1.1'],
  });
  await once(tls, 'secureConnect');
  return tls;
}

async function exchange(tls: TLSSocket, text: string): Promise<string> {
  let answer = '';
  tls.setEncoding('latin1').on('data', (chunk: string) => {
    answer += chunk;
  });
  tls.write(text);
  await once(tls, 'close');
  return answer;
}
const request = (path: string, host = `localhost:${originPort}`, more = '') =>
  `GET ${path} HTTP/1.1\r\nHost: ${host}\r\n${more}Connection: close\r\n\r\n`;

describe('CONNECT', () => {
  test('without a CA gives a tunnel whose bytes nobody touches', async () => {
    const tls = await secure(plain.port, 'localhost', 'localhost', originCa);
    const answer = await exchange(tls, request('/a.iso'));
    expect(answer).toContain('200 OK');
    expect(answer).not.toContain('shoal-');
    expect(answer.length).toBeGreaterThan(CONTENT.length);
    await expect.poll(() => plain.log.length).toBe(1);
    const [line] = plain.log;
    expect(line).toMatchObject({ route: 'connect', kind: 'tunnel', status: 200 });
    expect(Number(line?.['bytes'])).toBeGreaterThan(CONTENT.length);
  });

  test('lets one side end before the other, and passes on what came behind the request', async () => {
    const echo = createServer({ allowHalfOpen: true }, (socket) => {
      let heard = '';
      socket.on('data', (chunk) => {
        heard += chunk.toString();
      });
      socket.on('end', () => socket.end(`heard ${heard}`));
    });
    await new Promise<void>((resolve) => echo.listen(0, '127.0.0.1', resolve));
    const { port } = echo.address() as AddressInfo;
    await using open = await startProxy({ connectPorts: [port] });
    const socket = connect(open.port, '127.0.0.1');
    socket.write(`CONNECT 127.0.0.1:${port} HTTP/1.1\r\nHost: a\r\n\r\nearly `);
    let answer = '';
    socket.on('data', (chunk) => {
      answer += chunk.toString();
      if (answer.endsWith('\r\n\r\n')) socket.end('late');
    });
    await once(socket, 'close');
    expect(answer).toContain('heard early late');
    echo.close();
  });

  test.each([
    ['a port that is not open', '127.0.0.1:22', 403],
    ['an address that is closed', 'metadata.google.internal.:9', 403],
    ['the metadata address', '169.254.169.254:443', 403],
    ['the metadata address, mapped', '[::ffff:169.254.169.254]:443', 403],
    ['a number for an address', '2852039166:443', 403],
    ['no port', 'localhost', 400],
    ['a path', 'localhost:443/x', 400],
    ['user-info', 'a@localhost:443', 400],
    ['nobody there', '127.0.0.1:1', 502],
  ])('to %s is refused', async (_name, authority, status) => {
    await using strict = await startProxy({ connectPorts: [443, 1], allow: ['127.0.0.1:1'] });
    const answer = await raw(strict.port, `CONNECT ${authority} HTTP/1.1\r\nHost: a\r\n\r\n`);
    expect(statusOf(answer)).toBe(status);
  });

  test('that came through here before is answered 508', async () => {
    const { head } = await tunnel(
      proxy.port,
      `localhost:${originPort}`,
      `Via: 1.1 shoal-${proxy.hostId}\r\n`,
    );
    expect(statusOf(head)).toBe(508);
  });
});

describe('with a CA', () => {
  test('requests in the tunnel are seen: the swarm gives what rules say, the rest goes direct', async () => {
    const first = await exchange(
      await secure(proxy.port, 'localhost', 'localhost', proxyCa),
      request('/a.iso'),
    );
    expect(first).toContain('x-shoal-from: swarm');
    expect(first.slice(first.indexOf('\r\n\r\n') + 4)).toBe(CONTENT.toString('latin1'));
    const second = await exchange(
      await secure(proxy.port, 'localhost', 'localhost', proxyCa),
      request('/a.iso'),
    );
    expect(second).toContain('x-shoal-from: cache');
    const page = await exchange(
      await secure(proxy.port, 'localhost', 'localhost', proxyCa),
      request('/page'),
    );
    expect(page).toContain('X-Shoal-From: direct');
    expect(page).toContain('plain');
    expect(requests).toContain(`GET localhost:${originPort} /page`);
  });

  test('the certificate is of the host, short-lived, made once, and HTTP/2 is not promised', async () => {
    const one = await secure(proxy.port, 'localhost', 'localhost', proxyCa);
    const two = await secure(proxy.port, 'localhost', 'localhost', proxyCa);
    const certificate = one.getPeerX509Certificate() ?? new X509Certificate('');
    expect(certificate.checkHost('localhost')).toBe('localhost');
    expect(certificate.ca).toBe(false);
    expect(Date.parse(certificate.validTo) - Date.now()).toBeLessThan(8 * 86_400_000);
    expect(two.getPeerX509Certificate()?.fingerprint256).toBe(certificate.fingerprint256);
    expect(one.alpnProtocol).toBe('http/1.1');
    one.destroy();
    two.destroy();
  });

  test('a host that rules keep direct altogether is tunnelled untouched', async () => {
    const tls = await secure(proxy.port, '127.0.0.1', 'localhost', originCa);
    expect(await exchange(tls, request('/a.iso'))).not.toContain('shoal-');
  });

  test('a name in the handshake other than that of the tunnel is refused', async () => {
    const { socket } = await tunnel(proxy.port, `localhost:${originPort}`);
    const tls = connectTls({ socket, servername: 'bank.example', rejectUnauthorized: false });
    await expect(once(tls, 'secureConnect')).rejects.toThrow();
  });

  test.each([
    ['another Host', request('/x', 'bank.example'), 421],
    ['the same Host with another port', request('/x', 'localhost:1'), 421],
    ['an absolute target', request('http://169.254.169.254/x'), 400],
    ['both lengths', request('/x', undefined, 'Content-Length: 1\r\nTransfer-Encoding: chunked\r\n'), 400],
    ['two hosts', request('/x', undefined, 'Host: bank.example\r\n'), 400],
  ])('a request in the tunnel with %s is refused', async (_name, text, status) => {
    const before = requests.length;
    const answer = await exchange(await secure(proxy.port, 'localhost', 'localhost', proxyCa), text);
    expect([status, 0]).toContain(statusOf(answer));
    expect(requests.length).toBe(before);
  });

  test('an origin whose certificate is not its own is answered 502, never passed on', async () => {
    await using wary = await startProxy({ connectPorts: [originPort], ca: proxyCa });
    const before = requests.length;
    const tls = await secure(wary.port, 'localhost', 'localhost', proxyCa);
    const answer = await exchange(tls, request('/a.iso'));
    expect(requests.length).toBe(before);
    expect(statusOf(answer)).toBe(502);
    expect(answer).toContain('ERR_SOURCE_TLS');
  });

  test('what is no TLS is tunnelled as it is', async () => {
    const { socket } = await tunnel(proxy.port, `localhost:${originPort}`);
    const logged = proxy.log.length;
    socket.write('SSH-2.0-client\r\n');
    socket.resume();
    await once(socket, 'close');
    await expect.poll(() => proxy.log.slice(logged)).toMatchObject([{ kind: 'tunnel', status: 200 }]);
  });

  test('garbage that begins like TLS ends its own connection only', async () => {
    const { socket } = await tunnel(proxy.port, `localhost:${originPort}`);
    const closed = once(socket, 'close');
    socket.on('error', () => {});
    socket.resume();
    socket.write(Buffer.concat([Buffer.from([0x16, 3, 1, 2, 0]), Buffer.alloc(600, 7)]));
    await closed;
    const page = await exchange(
      await secure(proxy.port, 'localhost', 'localhost', proxyCa),
      request('/page'),
    );
    expect(statusOf(page)).toBe(200);
  });
});

describe('a CA', () => {
  test('is made with a key for its owner alone, and never in the place of another', async () => {
    expect(statSync(proxyCa.keyFile).mode & 0o777).toBe(0o600);
    expect(proxyCa.fingerprint).toBe(
      new X509Certificate(readFileSync(proxyCa.certFile)).fingerprint256.replaceAll(':', '').toLowerCase(),
    );
    await expect(makeCa(join(dir.path, 'proxy'), { name: 'x', days: 1 })).rejects.toMatchObject({
      code: 'ERR_OUTPUT',
    });
  });

  test('that is none, or whose key is another, is refused by name', async () => {
    const file = join(dir.path, 'garbage.pem');
    writeFileSync(file, 'garbage');
    chmodSync(file, 0o600);
    await expect(loadCa(file, proxyCa.keyFile)).rejects.toThrow('is no certificate');
    await expect(loadCa(proxyCa.certFile, file)).rejects.toThrow('is no private key');
    await expect(loadCa(proxyCa.certFile, originCa.keyFile)).rejects.toThrow('is not the key of');
    await expect(loadCa('/nowhere', proxyCa.keyFile)).rejects.toThrow('proxy-ca-cert: cannot read');
  });

  test('keeps a bounded number of certificates, however many names are asked for', async () => {
    const ca = await loadCa(proxyCa.certFile, proxyCa.keyFile);
    const first = await ca.contextFor('host0.example');
    expect(await ca.contextFor('host0.example')).toBe(first);
    for (let index = 1; index <= FORWARD_LIMITS.leaves; index += 1)
      await ca.contextFor(`host${index}.example`);
    expect(await ca.contextFor('host0.example')).not.toBe(first);
  });
});
