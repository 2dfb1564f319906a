import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { z } from 'zod';
import { deliverySchema } from '../../core/delivery.ts';
import { fetchOrderSchema, fetchReplySchema } from '../../core/fetch-messages.ts';
import {
  aliveSchema,
  announceReplySchema,
  announceRequestSchema,
  censusSchema,
  evictSchema,
  holdsSchema,
  schedulerAliveSchema,
} from '../../core/host-messages.ts';
import type { HostId, TaskId } from '../../core/ids.ts';
import { LIMITS } from '../../core/limits.ts';
import { logCreatedSchema, logEndedSchema, logManifestSchema } from '../../core/log-messages.ts';
import { explainReplySchema, explainSchema, querySchema } from '../../core/query-messages.ts';
import { originToldSchema, resolveReplySchema, resolveRequestSchema } from '../../core/resolve-messages.ts';
import {
  leaseSetSchema,
  leasesPushSchema,
  syncReplySchema,
  syncRequestSchema,
} from '../../core/sync-messages.ts';

const hostId = 'a'.repeat(32) as HostId;
const taskId = `sha256-${'b'.repeat(64)}` as TaskId;
const error = { code: 'ERR_INTERNAL', message: 'x', retryable: false };
const address = { hostId, ip: '10.0.0.1', port: 7400 };
const source = { url: 'http://origin.example/a', credentials: false };
const probed = { length: 5, etag: '"1"', ranges: true, audience: 'public' as const };
const alive = {
  incarnation: 1,
  ip: '10.0.0.1',
  port: 7400,
  role: 'seed' as const,
  zone: 'a',
  labels: { disk: 'ssd' },
  version: '1',
  uploading: 0,
  downloading: 0,
  slotsUp: 12,
  slotsDown: 20,
  cachedBytes: 0,
  cachedTasks: 0,
};
const key = { id: '1', publicKey: new Uint8Array(32) };
const received = { origin: 1, peers: 2, local: 3 };
const delivery = {
  outcome: 'complete' as const,
  begunMs: 1,
  atMs: 2,
  length: 6,
  bytes: received,
  droppedBytes: 0,
  originReasons: { 'no-holder': 1 },
  durationMs: 1,
  time: { asking: 0, links: 1, waiting: 0, origin: 0, hosts: 0, tail: 0, cpu: 0, disk: 0, client: 0 },
  linkBytesPerSec: 6000,
  sources: [{ from: 'origin', bytes: 1, unusedBytes: 0, tookMs: 1, failed: { stalled: 1 } }],
  error: { code: 'ERR_INTERNAL', message: 'x' },
};
const leaseSet = {
  epoch: 1,
  number: 2,
  originAtOnce: 2,
  leases: [
    { first: 0, count: 2, parent: hostId },
    { first: 2, count: 1, parent: 'origin' as const },
  ],
  parents: [address],
  claim: 1,
  samples: [3],
  hashFrom: 0,
  hashes: new Uint8Array(36),
  length: 5,
  pieceLength: 2,
  sources: [source],
  audience: 'public' as const,
  state: 'distributing' as const,
  error,
  ranges: true,
};

/** One valid message of every kind. */
const VALID: Record<string, readonly [z.ZodType, unknown]> = {
  alive: [aliveSchema, alive],
  announceRequest: [announceRequestSchema, { ...alive, publicKey: new Uint8Array(32) }],
  announceReply: [
    announceReplySchema,
    {
      token: 't',
      tokenExpiresAtMs: 1,
      schedulerKeys: [key],
      addressBook: [address],
      aliveEveryMs: 1000,
    },
  ],
  syncRequest: [
    syncRequestSchema,
    {
      incarnation: 1,
      seq: 2,
      base: 1,
      have: new Uint8Array(2),
      added: [1, 2],
      length: 5,
      pieceLength: 2,
      running: [3],
      queued: [4],
      freeSlots: 20,
      transferBytesPerSec: 1.5,
      urgent: 1,
      wants: true,
      sources: [source],
      mayReadOrigin: true,
      probed,
      failures: [{ first: 0, count: 1, parent: hostId, reason: 'stalled', error }],
      hashes: new Uint8Array(36),
      adrift: false,
      hashCursor: 0,
      seen: { epoch: 1, number: 1 },
      fencedBy: 2,
      mismatch: { agreed: [1], differed: [] },
      received,
    },
  ],
  leaseSet: [leaseSetSchema, leaseSet],
  syncReply: [syncReplySchema, { status: 'ok', seq: 1, intervalMs: 50, ...leaseSet }],
  resolveRequest: [
    resolveRequestSchema,
    {
      incarnation: 1,
      ask: 2,
      url: source.url,
      credentials: false,
      mayReadOrigin: true,
      maxStaleMs: 0,
      outcome: { kind: 'found', taskId, probed, readingBytes: 5 },
    },
  ],
  originTold: [originToldSchema, { hostId, source, probed, readingBytes: 5, wasAsked: true }],
  resolveReply: [resolveReplySchema, { status: 'resolved', taskId, probed }],
  holds: [
    holdsSchema,
    {
      incarnation: 1,
      page: 0,
      pages: 1,
      tasks: [{ taskId, have: new Uint8Array(1), length: 5, pieceLength: 2, audience: 'source' }],
      gone: [taskId],
    },
  ],
  census: [censusSchema, { epoch: 1, partitions: [0, 63], schedulerKeys: [key] }],
  schedulerAlive: [
    schedulerAliveSchema,
    {
      name: 'machine',
      sinceMs: 1,
      epoch: 2,
      epochLeast: 1,
      partitions: [0],
      guided: true,
      leaving: false,
      tasks: 1,
      hosts: 1,
      version: '1',
    },
  ],
  leasesPush: [leasesPushSchema, { taskId, set: leaseSet }],
  evict: [evictSchema, { taskId, reason: 'removed' }],
  logCreated: [
    logCreatedSchema,
    { epoch: 1, taskId, length: 5, pieceLength: 2, sources: [source], audience: 'public', probed, atMs: 1 },
  ],
  logManifest: [logManifestSchema, { epoch: 1, hashes: new Uint8Array(36), pages: 1 }],
  logEnded: [logEndedSchema, { epoch: 1, atMs: 1, error }],
  delivery: [deliverySchema, delivery],
  explain: [explainSchema, { hostId }],
  explainReply: [explainReplySchema, { hostId, delivery }],
  fetchOrder: [
    fetchOrderSchema,
    {
      jobId: 'c'.repeat(32),
      total: 3,
      from: 1,
      items: [{ resource: source.url, digest: `sha256:${'b'.repeat(64)}` }, { resource: taskId }],
      statesFrom: 0,
    },
  ],
  fetchReply: [
    fetchReplySchema,
    {
      known: 3,
      done: 1,
      failed: 1,
      length: 5,
      doneBytes: 2,
      bytes: received,
      states: [{ state: 'failed', length: 5, doneBytes: 2, bytes: received, error }],
    },
  ],
  query: [querySchema, { taskId, op: 'show' }],
};

/** All that msgpack can carry, and more. */
const anything = fc.anything({
  withBigInt: true,
  withDate: true,
  withMap: true,
  withSet: true,
  withTypedArray: true,
  withNullPrototype: true,
  withSparseArray: true,
  withObjectString: true,
});

/** Every place in a message, as a path of keys. */
function places(value: unknown, path: readonly (string | number)[] = []): (readonly (string | number)[])[] {
  if (typeof value !== 'object' || value === null || value instanceof Uint8Array) return [path];
  return [path, ...Object.entries(value).flatMap(([name, inner]) => places(inner, [...path, name]))];
}

function replaced(value: unknown, path: readonly (string | number)[], by: unknown): unknown {
  const [name, ...rest] = path;
  if (name === undefined) return by;
  const copy = (Array.isArray(value) ? [...value] : { ...(value as object) }) as Record<
    string | number,
    unknown
  >;
  copy[name] = replaced(copy[name], rest, by);
  return copy;
}

describe.each(Object.entries(VALID))('%s', (_, [schema, valid]) => {
  test('is accepted as it should be, and with fields nobody knows', () => {
    expect(schema.parse(valid)).toEqual(valid);
    expect(schema.parse({ ...(valid as object), fromTheFuture: { deep: [1] } })).toEqual(valid);
  });

  test('arbitrary values are refused as invalid, and nothing else is ever thrown', () => {
    fc.assert(
      fc.property(anything, (value) => {
        const result = schema.safeParse(value);
        if (!result.success) expect(result.error).toBeInstanceOf(z.ZodError);
      }),
      { numRuns: 50 },
    );
  });

  test('a message with one field replaced is refused, or is valid and stays so', () => {
    const hostile = fc.oneof(
      anything,
      fc.constantFrom(
        undefined,
        null,
        -1,
        1.5,
        Number.NaN,
        Number.POSITIVE_INFINITY,
        2 ** 53,
        2n,
        '',
        '__proto__',
      ),
      fc.string({ unit: 'binary' }),
    );
    fc.assert(
      fc.property(fc.constantFrom(...places(valid)), hostile, (place, value) => {
        const result = schema.safeParse(replaced(valid, place, value));
        if (!result.success) {
          expect(result.error).toBeInstanceOf(z.ZodError);
          return;
        }
        expect(schema.safeParse(result.data).success).toBe(true);
      }),
      { numRuns: 100 },
    );
  });

  test('a message with every number beyond its bound is refused', () => {
    const numbers = places(valid).filter(
      (place) =>
        typeof place.reduce<unknown>((at, name) => (at as Record<string, unknown>)[name], valid) === 'number',
    );
    for (const place of numbers) {
      for (const odd of [-1, Number.NaN, Number.POSITIVE_INFINITY, '1', null]) {
        expect(schema.safeParse(replaced(valid, place, odd)).success, `${place.join('.')} ${odd}`).toBe(
          false,
        );
      }
    }
  });
});

describe('bounds', () => {
  const many = <T>(count: number, item: T): T[] => new Array<T>(count).fill(item);

  test.each<[string, string, readonly (string | number)[], unknown]>([
    ['16,385 added pieces', 'syncRequest', ['added'], many(16_385, 1)],
    ['16,385 running pieces', 'syncRequest', ['running'], many(16_385, 1)],
    ['a piece beyond the largest', 'syncRequest', ['added', 0], LIMITS.piecesPerTask + 1],
    ['17 sources', 'syncRequest', ['sources'], many(17, source)],
    [
      '257 failures',
      'syncRequest',
      ['failures'],
      many(257, { first: 0, count: 1, parent: hostId, reason: 'busy' }),
    ],
    [
      '17 reasons',
      'syncRequest',
      ['originReasons'],
      Object.fromEntries(Array.from({ length: 17 }, (_, index) => [`r${index}`, 1])),
    ],
    ['a piece length of 0', 'syncRequest', ['pieceLength'], 0],
    ['a piece length beyond 64 MiB', 'syncRequest', ['pieceLength'], 64 * 1024 * 1024 + 1],
    ['a piece length of 3', 'syncRequest', ['pieceLength'], 3],
    ['a length of 524,289 in pieces of 2 in a sync', 'syncRequest', ['length'], 2 * LIMITS.piecesPerTask + 1],
    ['a length of 524,289 in pieces of 2 in a set', 'leaseSet', ['length'], 2 * LIMITS.piecesPerTask + 1],
    ['a length of 524,289 in pieces of 2 in a reply', 'syncReply', ['length'], 2 * LIMITS.piecesPerTask + 1],
    [
      'a length of 524,289 in pieces of 2 in a push',
      'leasesPush',
      ['set', 'length'],
      2 * LIMITS.piecesPerTask + 1,
    ],
    [
      'a length of 524,289 in pieces of 2 of what a host holds',
      'holds',
      ['tasks', 0, 'length'],
      2 * LIMITS.piecesPerTask + 1,
    ],
    ['a length of 524,289 in pieces of 2 in the log', 'logCreated', ['length'], 2 * LIMITS.piecesPerTask + 1],
    ['a lease of 262,145 pieces', 'leaseSet', ['leases', 0, 'count'], LIMITS.piecesPerTask + 1],
    ['1,025 leases', 'leaseSet', ['leases'], many(1025, { first: 0, count: 1, parent: hostId })],
    ['a lease of no pieces', 'leaseSet', ['leases', 0, 'count'], 0],
    ['a parent that is no host', 'leaseSet', ['leases', 0, 'parent'], 'nobody'],
    ['257 parents', 'leaseSet', ['parents'], many(257, address)],
    ['a port of 0', 'leaseSet', ['parents', 0, 'port'], 0],
    ['65 hosts in an address book', 'announceReply', ['addressBook'], many(65, address)],
    ['a key of 31 bytes', 'announceRequest', ['publicKey'], new Uint8Array(31)],
    ['4,097 tasks', 'holds', ['gone'], many(4097, taskId)],
    ['65 partitions', 'census', ['partitions'], many(65, 1)],
    ['a URL of 8,193 characters', 'resolveRequest', ['url'], 'x'.repeat(8193)],
    ['an error text of 2,001 characters', 'logEnded', ['error', 'message'], 'x'.repeat(2001)],
    ['a task id with a dot', 'evict', ['taskId'], `sha256-${'b'.repeat(63)}.`],
    ['a job id with a wildcard', 'fetchOrder', ['jobId'], '*'],
    ['4,097 items', 'fetchOrder', ['total'], 4097],
    ['more items than in all', 'fetchOrder', ['total'], 2],
    ['an item with a password', 'fetchOrder', ['items', 0, 'resource'], 'http://me:secret@origin.example/a'],
    ['an item of a file', 'fetchOrder', ['items', 0, 'resource'], 'file:///etc/passwd'],
    ['an item that is a digest of nothing', 'fetchOrder', ['items', 0, 'resource'], 'sha256:short'],
    ['a digest that is none', 'fetchOrder', ['items', 0, 'digest'], 'sha256:short'],
    ['129 states', 'fetchReply', ['states'], many(129, { state: 'done', doneBytes: 0, bytes: received })],
    [
      '33 labels',
      'alive',
      ['labels'],
      Object.fromEntries(Array.from({ length: 33 }, (_, i) => [`k${i}`, 'v'])),
    ],
    ['a label with a space', 'alive', ['labels'], { 'a b': 'c' }],
    ['a label of 64 characters', 'alive', ['labels'], { a: 'x'.repeat(64) }],
    ['a task id with a wildcard', 'query', ['taskId'], '>'],
  ])('%s are one too many', (_, kind, place, value) => {
    const [schema, valid] = VALID[kind] ?? [];
    expect(schema?.safeParse(replaced(valid, place, value)).success).toBe(false);
  });

  test.each<[string, Record<string, unknown>, boolean]>([
    ['words and numbers', { status: 404, origin: 'http://a', headers: { 'retry-after': '3' } }, true],
    ['a list', { list: [{}, {}, {}] }, false],
    ['a map in a map', { headers: { deep: { deeper: 'x' } } }, false],
    ['8 KiB', { text: 'x'.repeat(8_192) }, false],
    ['8 KiB in many words', Object.fromEntries(many(2_000, 0).map((_, index) => [`k${index}`, 1])), false],
  ])('an error is taken with its details where they are few and flat: %s', (_, details, isKept) => {
    for (const [schema, valid, place] of [
      [syncRequestSchema, VALID['syncRequest']?.[1], ['failures', 0, 'error', 'details']],
      [leaseSetSchema, VALID['leaseSet']?.[1], ['error', 'details']],
    ] as const) {
      const taken = schema.parse(replaced(valid, place, details));
      const found = place.reduce<unknown>((at, name) => (at as Record<string, unknown>)[name], taken);
      expect(found).toEqual(isKept ? details : undefined);
    }
  });

  test('the largest length that its pieces allow is taken', () => {
    for (const kind of ['syncRequest', 'leaseSet', 'syncReply', 'logCreated']) {
      const [schema, valid] = VALID[kind] ?? [];
      const largest = replaced(valid, ['length'], 2 * LIMITS.piecesPerTask);
      expect(schema?.safeParse(largest).success).toBe(true);
    }
  });
});
