import { createHash, randomBytes } from 'node:crypto';
import { expect, test } from 'vitest';
import { addressToward, defaultRouteAddress } from '../../app/advertise.ts';
import { startOddOrigin } from '../support/odd-origin.ts';
import { type OwnHost, startOwnSwarm } from '../support/own-swarm.ts';
import { throughProxy } from '../support/through-proxy.ts';

const MIB = 1024 * 1024;
const ON_IPV6 = { advertise: '::1', 'data-listen': '::1', 'proxy-listen': '::1', 'admin-listen': '::1' };

const get = ({ host }: OwnHost, resource: string, digest?: string) =>
  host.control.get(
    { resource, headers: {}, noOrigin: false, maxStaleMs: 0, ...(digest && { digest }) },
    () => undefined,
    new AbortController().signal,
  );

test.each([
  ['on IPv6 alone', ON_IPV6],
  ['on IPv6, listening on all addresses', { advertise: '::1', 'data-listen': undefined }],
])('hosts %s give an origin at an IPv6 address to each other', async (_, flags) => {
  const content = randomBytes(8 * MIB + 5);
  const digest = `sha256:${createHash('sha256').update(content).digest('hex')}`;
  await using origin = await startOddOrigin(content, {}, '::1');
  const name = `[::1]:${origin.port}`;
  await using swarm = await startOwnSwarm({
    hosts: 3,
    flags: { ...flags, registry: [`${name}=${origin.url}`] },
  });
  const [first, second, third] = swarm.hosts as [OwnHost, OwnHost, OwnHost];
  expect((await get(first, `${origin.url}/file`, digest)).bytes.origin).toBe(content.length);
  // On a machine without time left a piece that is late may be read from the origin as well.
  const { bytes } = await get(second, `${origin.url}/file`, digest);
  expect(bytes.peers).toBeGreaterThan(0.9 * content.length);
  expect(bytes.peers + bytes.origin).toBe(content.length);
  const path = `app/blobs/${digest}`;
  const ways = [
    throughProxy(third.proxy, `/v2/${path}?ns=${encodeURIComponent(name)}`),
    throughProxy(third.proxy, `/v2/${name}/${path}`),
    throughProxy(third.proxy, `/v2/[::1]_${origin.port}/${path}`),
    throughProxy(third.proxy, `/v2/${path}`, { headers: { 'x-shoal-registry': name } }),
    throughProxy(third.proxy, `${origin.url}/file.whl`),
  ];
  for (const { status, body } of await Promise.all(ways)) {
    expect([status, body.equals(content)]).toEqual([200, true]);
  }
  expect(first.host.control.status()).toMatchObject({ ip: '::1' });
});

test('the address that others are told is that of the route to NATS, of either family', async () => {
  expect(await addressToward('nats://[::1]:4222')).toBe('::1');
  expect(await addressToward('tls://127.0.0.1')).toBe('127.0.0.1');
  expect(await defaultRouteAddress()).not.toMatch(/^(::|0\.0\.0\.0|fe80:.*)$/);
});
