import { createHash, randomBytes } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { expect, test } from 'vitest';
import { type Oddity, startOddOrigin } from '../support/odd-origin.ts';
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

const never = new AbortController().signal;

const get = ({ host }: OwnHost, resource: string, digest?: string) =>
  host.control.get(
    { resource, headers: {}, noOrigin: false, maxStaleMs: 0, ...(digest && { digest }) },
    () => undefined,
    never,
  );

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

/** Asks for parts that end, or for all the rest each time, and goes away with its part. */
test.each([
  ['three at a time that end', 3, false],
  ['one at a time that do not end', 1, true],
  ['three at a time that do not end', 3, true],
])(
  'a blob that is read as containerd reads it, by parts of one MiB, %s, is one copy',
  async (_, atOnce, isOpen) => {
    const content = randomBytes(24 * MIB + 5);
    await using origin = await startOddOrigin(content, { bytesPerSec: 40 * MIB });
    const registry = `127.0.0.1:${origin.port}`;
    await using swarm = await startOwnSwarm({ flags: { registry: [`${registry}=${origin.url}`] } });
    const [{ proxy } = { proxy: '' }] = swarm.hosts;
    const path = `/v2/app/blobs/${sha256(content)}?ns=${registry}`;
    await byParts(content.length, MIB, atOnce, async (start) => {
      const range = `bytes=${start}-${isOpen ? '' : start + MIB - 1}`;
      const { body } = await throughProxy(proxy, path, { headers: { range }, most: MIB });
      expect(body.subarray(0, MIB).equals(content.subarray(start, start + MIB))).toBe(true);
    });
    expect(origin.sent() / content.length).toBeLessThanOrEqual(1.02);
  },
);

/** Validators as the nodes of a CDN give them that do not agree. */
const OF_NODES = (request: number) => ({
  etag: `"node${request % 3}"`,
  'last-modified': new Date(Date.UTC(2024, 0, 1 + (request % 3))).toUTCString(),
});
const NO_VALIDATORS = () => ({});

test.each([
  ['nodes that disagree on validators', { validators: OF_NODES }, 1.02],
  ['ranges in its first answer alone', { ranges: 'once' }, 2.02],
  ['no ranges', { ranges: 'none' }, 1.02],
  ['no validators', { validators: NO_VALIDATORS }, 1.02],
  ['no ranges and no validators', { validators: NO_VALIDATORS, ranges: 'none' }, 1.02],
] satisfies [string, Oddity, number][])(
  'with a digest, four hosts get content from an origin with %s',
  async (_, oddity, copies) => {
    const content = randomBytes(64 * MIB + 5);
    await using origin = await startOddOrigin(content, oddity);
    await using swarm = await startOwnSwarm({ hosts: 4 });
    const gets = swarm.hosts.map((host) => get(host, `${origin.url}/a`, sha256(content)));
    for (const { length } of await Promise.all(gets)) expect(length).toBe(content.length);
    expect(origin.sent() / content.length).toBeLessThanOrEqual(copies);
  },
);

test.each([
  ['nodes that disagree on validators', { validators: OF_NODES }, 2.02],
  ['ranges in its first answer alone', { ranges: 'once' }, 2.02],
  ['no ranges', { ranges: 'none' }, 1.02],
  ['no validators', { validators: NO_VALIDATORS }, 2.02],
  ['no ranges and no validators', { validators: NO_VALIDATORS, ranges: 'none' }, 2.02],
] satisfies [string, Oddity, number][])(
  'without a digest, four hosts get content from an origin with %s',
  async (_, oddity, copies) => {
    const content = randomBytes(64 * MIB + 5);
    await using origin = await startOddOrigin(content, oddity);
    await using swarm = await startOwnSwarm({ hosts: 4 });
    const results = await Promise.all(swarm.hosts.map((host) => get(host, `${origin.url}/a`)));
    const files = await Promise.all(results.map(({ path = '' }) => readFile(path)));
    for (const file of files) expect(file.equals(content)).toBe(true);
    expect(origin.sent() / content.length).toBeLessThanOrEqual(copies);
  },
);

test.each([
  ['nodes that disagree on validators', { validators: OF_NODES }, 2.02],
  ['ranges in its first answer alone', { ranges: 'once' }, 2.02],
  ['no ranges', { ranges: 'none' }, 1.02],
  ['no validators', { validators: NO_VALIDATORS }, 1.04],
  ['no ranges and no validators', { validators: NO_VALIDATORS, ranges: 'none' }, 1.02],
] satisfies [string, Oddity, number][])(
  'a client of the proxy gets content whole from an origin with %s',
  async (_, oddity, copies) => {
    const content = randomBytes(32 * MIB + 5);
    await using origin = await startOddOrigin(content, oddity);
    await using swarm = await startOwnSwarm();
    const [{ proxy } = { proxy: '' }] = swarm.hosts;
    const answer = await throughProxy(proxy, `${origin.url}/a.whl`);
    expect([answer.status, answer.whole, answer.headers['x-shoal-from']]).toEqual([200, true, 'swarm']);
    expect(answer.body.equals(content)).toBe(true);
    expect(origin.sent() / content.length).toBeLessThanOrEqual(copies);
  },
);

test.each([
  ['as long', 0],
  ['shorter', 1],
])(
  'a client of the proxy that was given some of a version that is replaced by one %s is cut, and gets no mix',
  async (_, less) => {
    const content = randomBytes(32 * MIB + 5);
    await using origin = await startOddOrigin(content, { bytesPerSec: 16 * MIB });
    await using swarm = await startOwnSwarm();
    const [{ proxy } = { proxy: '' }] = swarm.hosts;
    const answered = throughProxy(proxy, `${origin.url}/a.whl`);
    await expect.poll(() => origin.requests.length).toBeGreaterThan(2);
    origin.content = randomBytes(content.length - less);
    const { status, whole, body } = await answered;
    expect([status, whole]).toEqual([200, false]);
    expect(body.length).toBeGreaterThan(0);
    expect(body.equals(content.subarray(0, body.length))).toBe(true);
  },
);

test('three gets within a second of content that nothing tells the version of share a read', async () => {
  const content = randomBytes(16 * MIB + 5);
  const oddity = { validators: NO_VALIDATORS, ranges: 'none', bytesPerSec: 16 * MIB } as const;
  await using origin = await startOddOrigin(content, oddity);
  await using swarm = await startOwnSwarm({ hosts: 3 });
  const [first, second, third] = swarm.hosts as [OwnHost, OwnHost, OwnHost];
  const gets = [get(first, `${origin.url}/a`)];
  await expect.poll(() => origin.requests.length).toBe(1);
  gets.push(get(second, `${origin.url}/a`));
  await expect.poll(() => swarm.lines.some((line) => line.includes('origin answered'))).toBe(true);
  gets.push(get(third, `${origin.url}/a`));
  await Promise.all(gets);
  expect(origin.sent() / content.length).toBeLessThanOrEqual(2.02);
});
