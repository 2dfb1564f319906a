import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { ShoalError } from '../../../core/errors.ts';
import type { Digest, HostId } from '../../../core/ids.ts';
import { silentLogger } from '../../../core/logger.ts';
import { registryBase } from '../../../core/registry-names.ts';
import { NOTHING_SPENT, timeSpent } from '../../../core/time-spent.ts';
import { chainOf } from '../../../proxy/mirror/chain.ts';
import { isSchema1, manifestType } from '../../../proxy/mirror/manifest-type.ts';
import { OciRefusal, ociRefusalOf } from '../../../proxy/mirror/oci-error.ts';
import { PullBook, type PullStory } from '../../../proxy/mirror/pull-book.ts';
import { sinkChunks } from '../../../proxy/mirror/sink-chunks.ts';
import { TagMemory } from '../../../proxy/mirror/tag-memory.ts';
import { SimClock } from '../../../sim/clock.ts';
import { tempDir } from '../../support/temp-dir.ts';

const OWN = '7d3b1f0c9a5e4d2f8b6a1c0e3f5d7b92';
const DIGEST = `sha256:${'ab'.repeat(32)}` as Digest;
const other = (digit: string) => `1.1 shoal-${digit.repeat(32)}`;

describe('chains of daemons', () => {
  test('a client that came through no daemon is a client', () => {
    expect(chainOf(undefined, OWN)).toEqual({
      fromShoal: false,
      via: `1.1 shoal-${OWN}`,
      cameVia: undefined,
    });
    expect(chainOf('1.1 squid', OWN)).toMatchObject({
      fromShoal: false,
      via: `1.1 squid, 1.1 shoal-${OWN}`,
    });
  });

  test('another daemon is one, and the chain grows', () => {
    expect(chainOf(other('a'), OWN)).toEqual({
      fromShoal: true,
      via: `${other('a')}, 1.1 shoal-${OWN}`,
      cameVia: other('a'),
    });
  });

  test('a request that came through here before goes round in a circle', () => {
    expect(() => chainOf(`${other('a')}, 1.1 shoal-${OWN}`, OWN)).toThrow(
      expect.objectContaining({ status: 508 }),
    );
  });

  test('more than four daemons are too many', () => {
    const chain = ['a', 'b', 'c', 'd'].map(other);
    expect(chainOf(chain.join(', '), OWN).fromShoal).toBe(true);
    expect(() => chainOf([...chain, other('e')].join(','), OWN)).toThrow(
      expect.objectContaining({ status: 508 }),
    );
  });
});

test('a registry is where it was configured to be, else where its name says', () => {
  const configured = { 'registry.lab:5000': 'http://10.0.0.5:5000' };
  expect(registryBase('registry.lab:5000', configured)).toBe('http://10.0.0.5:5000');
  expect(registryBase('docker.io', configured)).toBe('https://registry-1.docker.io');
  expect(registryBase('docker.io', { 'docker.io': 'https://mirror.example' })).toBe('https://mirror.example');
  expect(registryBase('quay.io', configured)).toBe('https://quay.io');
  expect(registryBase('constructor', configured)).toBe('https://constructor');
});

describe('the type of a manifest', () => {
  const json = (value: unknown) => Buffer.from(JSON.stringify(value));
  const OCI = 'application/vnd.oci.image';

  test('the registry says it, unless all it says is that it is a document', () => {
    const own = json({ mediaType: 'application/vnd.example+json' });
    expect(manifestType(own, [undefined, `${OCI}.index.v1+json`])).toBe(`${OCI}.index.v1+json`);
    expect(manifestType(own, ['application/json; charset=utf-8', 'application/octet-stream'])).toBe(
      'application/vnd.example+json',
    );
  });

  test.each([
    [{ schemaVersion: 2, manifests: [] }, `${OCI}.index.v1+json`],
    [{ schemaVersion: 2, config: {}, layers: [] }, `${OCI}.manifest.v1+json`],
    [{ schemaVersion: 1, signatures: [] }, 'application/vnd.docker.distribution.manifest.v1+prettyjws'],
    [{ schemaVersion: 1 }, 'application/vnd.docker.distribution.manifest.v1+json'],
    [{ schemaVersion: 2, config: {}, mediaType: 'no type\r\nx: y' }, `${OCI}.manifest.v1+json`],
    [{}, 'application/json'],
    [[], 'application/json'],
  ])('%j is of type %s by its shape', (value, type) => {
    expect(manifestType(json(value), [])).toBe(type);
  });

  test('whatever the document holds, the type can stand in a header', () => {
    fc.assert(
      fc.property(fc.oneof(fc.string(), fc.json()), fc.string(), (text, told) => {
        expect(manifestType(Buffer.from(text), [told])).toMatch(/^[!-~]+\/[ -~]+$/);
      }),
    );
  });

  test('Docker’s first schema is known by its name', () => {
    expect(isSchema1('application/vnd.docker.distribution.manifest.v1+prettyjws')).toBe(true);
    expect(isSchema1('application/vnd.docker.distribution.manifest.v2+json')).toBe(false);
  });
});

describe('pulls', () => {
  function book() {
    const clock = new SimClock();
    const told: PullStory[] = [];
    const options = {
      clock,
      hostId: OWN as HostId,
      quietMs: 3_000,
      onPulled: (story: PullStory) => void told.push(story),
    };
    return { clock, told, book: new PullBook(options) };
  }
  const KEY = { client: '10.0.0.1', registry: 'docker.io', repository: 'library/app' };
  const NO_TIME = timeSpent(NOTHING_SPENT, 0);
  const came = (bytes: PullStory['bytes'], originReasons = {}) => ({
    bytes,
    originReasons,
    time: { ...NO_TIME, links: 30, origin: 10 },
  });

  test('requests of one client for one repository are one pull, told 3 s after the last', async () => {
    const { clock, told, book: pulls } = book();
    const manifest = pulls.open(KEY).begin();
    pulls.open(KEY).manifest('latest', DIGEST);
    pulls.open(KEY).manifest('sha256:child', 'sha256:child');
    manifest();
    await clock.run(2_000);
    const blob = pulls.open(KEY).begin();
    pulls.open(KEY).came('sha256:layer', came({ origin: 7, peers: 3, local: 0 }, { 'no-holder': 7 }));
    // The same layer again, from the cache by now.
    pulls.open(KEY).came('sha256:layer', came({ origin: 0, peers: 0, local: 10 }));
    pulls.open(KEY).came('sha256:other', came({ origin: 0, peers: 0, local: 5 }));
    pulls.open(KEY).blob('sha256:layer');
    pulls.open(KEY).blob('sha256:other');
    pulls.open(KEY).sent(15);
    await clock.run(20_000);
    expect(told).toEqual([]);
    blob();
    await clock.run(24_000);
    expect(told).toEqual([
      {
        ...KEY,
        hostId: OWN,
        reference: 'latest',
        digest: DIGEST,
        blobs: 2,
        sentBytes: 15,
        bytes: { origin: 7, peers: 3, local: 5 },
        originReasons: { 'no-holder': 7 },
        durationMs: 20_000,
        // The contents spent 30 ms each on the links and 10 on the origin; for 2 s nothing was asked.
        time: { ...NO_TIME, links: 13_500, origin: 4_500, client: 2_000 },
        outcome: 'complete',
      },
    ]);
  });

  test('what failed and came after all is no failure; what did not come is', async () => {
    const { clock, told, book: pulls } = book();
    const pull = pulls.open(KEY);
    const end = pull.begin();
    pull.failed('latest', { code: 'UNAUTHORIZED', message: 'who are you?' });
    pull.manifest('latest', DIGEST);
    pull.failed('sha256:layer', { code: 'UNAVAILABLE', message: 'gone' });
    end();
    end();
    await clock.run(4_000);
    expect(told).toMatchObject([{ outcome: 'failed', error: { code: 'UNAVAILABLE' } }]);
  });

  test('clients and repositories are kept apart, and one that got nothing has pulled nothing', async () => {
    const { clock, told, book: pulls } = book();
    for (const key of [KEY, { ...KEY, client: '10.0.0.2' }, { ...KEY, repository: 'other' }]) {
      const end = pulls.open(key).begin();
      pulls.open(key).manifest('latest', DIGEST);
      end();
    }
    const refused = pulls.open({ ...KEY, registry: 'quay.io' });
    refused.begin()();
    refused.failed('latest', { code: 'DENIED', message: 'no' });
    await clock.run(4_000);
    expect(told).toHaveLength(3);
  });

  test('a thousand pulls at once are told early rather than kept', () => {
    const { told, book: pulls } = book();
    for (let index = 0; index < 1_001; index += 1) {
      pulls.open({ ...KEY, repository: `r${index}` }).manifest('latest', DIGEST);
    }
    expect(told).toHaveLength(1);
    pulls.close();
    expect(told).toHaveLength(1_001);
  });
});

describe('the memory of tags', () => {
  const TAG = { registry: 'docker.io', repository: 'library/app', tag: 'latest' };
  const answer = { digest: DIGEST, mediaType: 'application/vnd.oci.image.index.v1+json' };
  const open = (file: string, clock = new SimClock(), enabled = true) =>
    new TagMemory({ file, clock, logger: silentLogger, enabled });

  test('an answer outlives a restart, and is given until it is too old', async () => {
    await using dir = await tempDir();
    const file = join(dir.path, 'tags');
    const first = open(file);
    first.set(TAG, answer);
    first.set({ ...TAG, tag: 'other' }, { digest: DIGEST, mediaType: undefined });
    await first.close();
    const clock = new SimClock();
    const second = open(file, clock);
    expect(second.get(TAG, 1_000)).toEqual(answer);
    expect(second.get({ ...TAG, tag: 'other' }, 1_000)).toEqual({ digest: DIGEST, mediaType: undefined });
    expect(second.get({ ...TAG, registry: 'quay.io' }, 1_000)).toBeUndefined();
    await clock.run(1_500);
    expect(second.get(TAG, 1_000)).toBeUndefined();
  });

  test('a damaged line costs that line alone', async () => {
    await using dir = await tempDir();
    const file = join(dir.path, 'tags');
    const row = (name: string, digest: unknown) => JSON.stringify([name, digest, '', 0]);
    writeFileSync(file, `${row('docker.io/library/app:latest', DIGEST)}\n${row('x', 'no')}\n[1]\n{"a"`);
    expect(open(file).get(TAG, Number.MAX_SAFE_INTEGER)?.digest).toBe(DIGEST);
  });

  test('switched off, it neither remembers nor writes', async () => {
    await using dir = await tempDir();
    const memory = open(join(dir.path, 'none', 'tags'), new SimClock(), false);
    memory.set(TAG, answer);
    await memory.close();
    expect(memory.get(TAG, Number.MAX_SAFE_INTEGER)).toBeUndefined();
  });
});

describe('a writer and a reader', () => {
  test('chunks are taken one by one, and the writer’s buffer is its own again', async () => {
    const buffer = new Uint8Array(1);
    const chunks = sinkChunks(async (sink) => {
      for (let value = 1; value <= 3; value += 1) {
        buffer[0] = value;
        await sink(buffer);
      }
    });
    const got: number[] = [];
    for await (const chunk of chunks) got.push(chunk[0] ?? 0);
    expect(got).toEqual([1, 2, 3]);
  });

  test('the writer’s error reaches the reader behind what was written', async () => {
    const chunks = sinkChunks(async (sink) => {
      await sink(Uint8Array.of(1));
      throw new ShoalError('ERR_SOURCE_UNAVAILABLE', 'cut');
    });
    expect((await chunks.next()).value).toEqual(Uint8Array.of(1));
    await expect(chunks.next()).rejects.toMatchObject({ code: 'ERR_SOURCE_UNAVAILABLE' });
  });

  test('a reader that goes away ends the writer', async () => {
    let ended: unknown;
    const chunks = sinkChunks(async (sink) => {
      try {
        for (;;) await sink(Uint8Array.of(1));
      } catch (error) {
        ended = error;
      }
    });
    await chunks.next();
    await chunks.return(undefined);
    await expect.poll(() => ended).toBeInstanceOf(Error);
  });
});

test.each([
  ['ERR_SOURCE_NOT_FOUND', 404, 'BLOB_UNKNOWN'],
  ['ERR_SOURCE_REFUSED', 403, 'DENIED'],
  ['ERR_SOURCE_ADDRESS_REFUSED', 403, 'DENIED'],
  ['ERR_SOURCE_UNAVAILABLE', 503, 'UNAVAILABLE'],
  ['ERR_STORE_FULL', 503, 'UNAVAILABLE'],
  ['ERR_TIMEOUT', 503, 'UNAVAILABLE'],
  ['ERR_INTERNAL', 503, 'UNAVAILABLE'],
] as const)('%s is told as %s %s', (code, status, oci) => {
  const refusal = ociRefusalOf(new ShoalError(code, 'why'), 'blob');
  expect(refusal).toMatchObject({ status, code: oci });
  expect(ociRefusalOf(refusal, 'blob')).toBe(refusal);
  expect(ociRefusalOf(new OciRefusal(404, 'BLOB_UNKNOWN', 'x'), 'other').code).toBe('BLOB_UNKNOWN');
});
