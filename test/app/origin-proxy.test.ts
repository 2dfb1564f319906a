import { connect } from 'node:net';
import { expect, test } from 'vitest';
import { startOddOrigin } from '../support/odd-origin.ts';
import { type OwnHost, startOwnSwarm } from '../support/own-swarm.ts';
import { throughProxy } from '../support/through-proxy.ts';
import { startUpstreamProxy } from '../support/upstream-proxy.ts';

const CONTENT = Buffer.from('what the origin has');
const LOGIN = 'me:secret';

const get = ({ host }: OwnHost, resource: string) =>
  host.control.get(
    { resource, headers: {}, noOrigin: false, maxStaleMs: 0 },
    () => undefined,
    new AbortController().signal,
  );

/** What a tunnel of a proxy says to a CONNECT and to the bytes after it. */
function tunnelled(proxy: string, authority: string, bytes: string): Promise<string> {
  return new Promise((resolve, reject) => {
    const socket = connect(Number(new URL(proxy).port), '127.0.0.1');
    let heard = '';
    socket.on('error', reject);
    socket.on('data', (chunk) => {
      heard += chunk;
      if (heard.endsWith('\r\n\r\n')) socket.write(bytes);
    });
    socket.on('close', () => resolve(heard));
    socket.write(`CONNECT ${authority} HTTP/1.1\r\nHost: ${authority}\r\n\r\n`);
  });
}

test.each([
  [
    'the environment',
    (url: string) => ({ env: { HTTP_PROXY: url, https_proxy: url, NO_PROXY: '.inside.example' } }),
  ],
  ['a setting', (url: string) => ({ flags: { 'origin-proxy': url }, env: { NO_PROXY: '.inside.example' } })],
])(
  'all that a host asks of origins goes by the proxy of %s, and its login is told to nobody',
  async (_, settings) => {
    await using proxy = await startUpstreamProxy(LOGIN);
    await using origin = await startOddOrigin(CONTENT);
    const at = `names.example:${origin.port}`;
    const { flags = {}, env } = { flags: {}, ...settings(`http://${LOGIN}@127.0.0.1:${proxy.port}`) };
    const more = { registry: [`${at}=http://${at}`], 'connect-port': String(origin.port) };
    await using swarm = await startOwnSwarm({ alone: true, flags: { ...flags, ...more }, env });
    const [host] = swarm.hosts as [OwnHost];
    expect((await get(host, `http://${at}/file`)).length).toBe(CONTENT.length);
    const digest = 'sha256:c4ba7e2ba4ec9f3d4c3a1c7a04d1b8a9d8c6e5c9d8f3f0f1f2f3f4f5f6f7f8f9';
    await throughProxy(host.proxy, `/v2/app/blobs/${digest}?ns=${at}`, { method: 'HEAD' });
    expect((await throughProxy(host.proxy, `http://${at}/a.html`)).body).toEqual(CONTENT);
    const inside = `GET / HTTP/1.1\r\nHost: ${at}\r\nConnection: close\r\n\r\n`;
    expect(await tunnelled(host.proxy, at, inside)).toContain(String(CONTENT));
    expect(new Set(proxy.asked)).toEqual(
      new Set([
        `GET http://${at}/file`,
        `HEAD http://${at}/v2/app/blobs/${digest}`,
        `GET http://${at}/a.html`,
        `CONNECT ${at}`,
      ]),
    );
    await expect(get(host, `http://a.inside.example:${origin.port}/`)).rejects.toMatchObject({
      code: 'ERR_SOURCE_UNAVAILABLE',
    });
    await expect(get(host, 'http://169.254.169.254/latest')).rejects.toMatchObject({
      code: 'ERR_SOURCE_ADDRESS_REFUSED',
    });
    expect(proxy.asked.join('\n')).not.toMatch(/inside|169/);
    for (const secret of ['secret', Buffer.from(LOGIN).toString('base64')]) {
      expect(swarm.lines.join('\n')).not.toContain(secret);
    }
  },
);
