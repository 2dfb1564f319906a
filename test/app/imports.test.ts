import { createHash, randomBytes } from 'node:crypto';
import { expect, test } from 'vitest';
import { parseDigest, taskIdOfDigest } from '../../core/ids.ts';
import { startOddOrigin } from '../support/odd-origin.ts';
import { type OwnHost, startOwnSwarm } from '../support/own-swarm.ts';

const MIB = 1024 * 1024;
const never = new AbortController().signal;
const sha256 = (content: Uint8Array) =>
  parseDigest(`sha256:${createHash('sha256').update(content).digest('hex')}`);

async function* inParts(content: Uint8Array, partBytes = 100_000): AsyncGenerator<Uint8Array> {
  for (let at = 0; at < content.length; at += partBytes) yield content.subarray(at, at + partBytes);
}

async function bytesAt({ host }: OwnHost, resource: string): Promise<Buffer> {
  const request = { resource, headers: {}, noOrigin: true, maxStaleMs: 0 };
  const chunks: Uint8Array[] = [];
  for await (const chunk of host.control.stream(request, () => undefined, never)) chunks.push(chunk.slice());
  return Buffer.concat(chunks);
}

const put = ({ host }: OwnHost, content: Uint8Array, digest = sha256(content)) =>
  host.control.importFile({ digest, length: content.length }, inParts(content));

test.each([0, 1, 5 * MIB + 17])(
  'what one host imports, others get by its digest: %i bytes',
  async (length) => {
    const content = randomBytes(length);
    await using swarm = await startOwnSwarm({ hosts: 3 });
    const [first, ...others] = swarm.hosts;
    if (first === undefined) throw new Error('no host');
    const digest = sha256(content);
    expect(await put(first, content)).toEqual({ taskId: taskIdOfDigest(digest), length, wasHere: false });
    const got = await Promise.all(others.map((other) => bytesAt(other, digest)));
    for (const bytes of got) expect(bytes.equals(content)).toBe(true);
    expect(await put(first, content)).toMatchObject({ wasHere: true });
  },
);

test('bytes that are not of the digest leave nothing behind', async () => {
  const content = randomBytes(MIB);
  await using swarm = await startOwnSwarm({ alone: true });
  const [host] = swarm.hosts;
  if (host === undefined) throw new Error('no host');
  const other = randomBytes(MIB);
  await expect(put(host, other, sha256(content))).rejects.toMatchObject({ code: 'ERR_DIGEST_MISMATCH' });
  await expect(
    host.host.control.importFile({ digest: sha256(content), length: MIB + 1 }, inParts(content)),
  ).rejects.toMatchObject({ code: 'ERR_DIGEST_MISMATCH' });
  await expect(
    host.host.control.importFile({ digest: sha256(content), length: MIB - 1 }, inParts(content)),
  ).rejects.toMatchObject({ code: 'ERR_DIGEST_MISMATCH' });
  expect(await host.host.control.cacheRows()).toEqual([]);
  expect(await put(host, content)).toMatchObject({ wasHere: false });
});

test('a second import at once is told to come back', async () => {
  const content = randomBytes(MIB);
  await using swarm = await startOwnSwarm({ alone: true });
  const [host] = swarm.hosts;
  if (host === undefined) throw new Error('no host');
  const ends = await Promise.allSettled([put(host, content), put(host, content)]);
  expect(ends.map(({ status }) => status)).toEqual(['fulfilled', 'rejected']);
  expect(ends[1]).toMatchObject({ reason: { code: 'ERR_IMPORT_BUSY' } });
  expect((await bytesAt(host, sha256(content))).equals(content)).toBe(true);
});

test('what a source gave to one client alone is everybody’s once somebody imports it', async () => {
  const content = randomBytes(MIB);
  await using origin = await startOddOrigin(content, {});
  await using swarm = await startOwnSwarm({ alone: true });
  const [host] = swarm.hosts;
  if (host === undefined) throw new Error('no host');
  const digest = sha256(content);
  const request = {
    resource: `${origin.url}/private`,
    digest,
    headers: { authorization: 'Basic eDp5' },
    noOrigin: false,
    maxStaleMs: 0,
  };
  await host.host.control.get(request, () => undefined, never);
  await expect(bytesAt(host, digest)).rejects.toMatchObject({ code: 'ERR_SOURCE_REFUSED' });
  expect(await put(host, content)).toMatchObject({ wasHere: false });
  expect((await bytesAt(host, digest)).equals(content)).toBe(true);
});
