import { createHash, randomBytes } from 'node:crypto';
import { expect, test } from 'vitest';
import { startOddOrigin } from '../support/odd-origin.ts';
import { type OwnHost, startOwnSwarm } from '../support/own-swarm.ts';
import { throughProxy } from '../support/through-proxy.ts';

const MIB = 1024 * 1024;
/** One byte after the other from all of `length`, as aria2 and containerd ask for them: by parts, several at once. */
async function byParts(
  length: number,
  partBytes: number,
  atOnce: number,
  part: (start: number) => Promise<void>,
) {
  const starts = Array.from({ length: Math.ceil(length / partBytes) }, (_, index) => index * partBytes);
  const one = async (): Promise<void> => {
    for (let start = starts.shift(); start !== undefined; start = starts.shift()) await part(start);
  };
  await Promise.all(Array.from({ length: atOnce }, one));
}

const CREDENTIALS: Record<string, string> = { authorization: 'Basic eDp5' };

test.each([
  ['that answers conditions', true, {}],
  ['that answers no conditions', false, {}],
  ['that answers no conditions, asked with credentials', false, CREDENTIALS],
])('a URL that is here is not read again from an origin %s', async (_, conditions, headers) => {
  const content = randomBytes(3 * MIB);
  await using origin = await startOddOrigin(content, { conditions });
  await using swarm = await startOwnSwarm();
  const [{ proxy } = { proxy: '' }] = swarm.hosts;
  const url = `${origin.url}/a.whl`;
  expect((await throughProxy(proxy, url, { headers })).body.equals(content)).toBe(true);
  expect(origin.sent()).toBeLessThanOrEqual(1.02 * content.length);
  const again = await throughProxy(proxy, url, { headers });
  expect([again.status, again.headers['x-shoal-from']]).toEqual([200, 'cache']);
  expect(again.body.equals(content)).toBe(true);
  const part = await throughProxy(proxy, url, { headers: { ...headers, range: 'bytes=5-9' } });
  expect(part).toMatchObject({ status: 206, body: content.subarray(5, 10) });
  expect(origin.sent()).toBeLessThanOrEqual(2);
  origin.content = randomBytes(3 * MIB + 1);
  const changed = await throughProxy(proxy, url, { headers });
  expect(changed.body.equals(origin.content)).toBe(true);
});

test.each([false, true])('eight ranges at once, one MiB each, are one copy (alone: %s)', async (alone) => {
  const content = randomBytes(24 * MIB);
  await using origin = await startOddOrigin(content, { conditions: false });
  await using swarm = await startOwnSwarm({ alone });
  const [{ proxy } = { proxy: '' }] = swarm.hosts;
  const url = `${origin.url}/a.safetensors`;
  for (const most of [1.02 * content.length, 100]) {
    await byParts(content.length, MIB, 8, async (start) => {
      const range = `bytes=${start}-${start + MIB - 1}`;
      const { status, body } = await throughProxy(proxy, url, { headers: { range } });
      expect(status).toBe(206);
      expect(body.equals(content.subarray(start, start + MIB))).toBe(true);
    });
    expect(origin.sent()).toBeLessThanOrEqual(most);
  }
});

const sha256 = (content: Uint8Array) => `sha256:${createHash('sha256').update(content).digest('hex')}`;

test.each([
  ['parts that end', (start: number) => ({ range: `bytes=${start}-${start + MIB - 1}` }), undefined],
  ['all the rest, of which they take their part', (start: number) => ({ range: `bytes=${start}-` }), MIB],
])(
  'a blob read as containerd 2 reads it, several at a time that ask for %s, is one copy',
  async (_, headersOf, most) => {
    const content = randomBytes(24 * MIB + 5);
    await using origin = await startOddOrigin(content);
    const registry = `127.0.0.1:${origin.port}`;
    await using swarm = await startOwnSwarm({ flags: { registry: [`${registry}=${origin.url}`] } });
    const [{ proxy } = { proxy: '' }] = swarm.hosts;
    const path = `/v2/app/blobs/${sha256(content)}?ns=${registry}`;
    await byParts(content.length, MIB, 3, async (start) => {
      const { body } = await throughProxy(proxy, path, { headers: headersOf(start), ...(most && { most }) });
      const got = body.subarray(0, MIB);
      expect(got.equals(content.subarray(start, start + MIB))).toBe(true);
    });
    expect(origin.sent() / content.length).toBeLessThanOrEqual(1.02);
  },
);
