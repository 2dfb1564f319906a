import { createHash } from 'node:crypto';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { ShoalError } from '../../core/errors.ts';
import {
  digestAlgorithm,
  digestOfTask,
  hostIdFrom,
  isHostId,
  isResourceId,
  isTaskId,
  looksLikeDigest,
  PARTITIONS,
  parseDigest,
  parseTaskId,
  partitionOf,
  schedulerIdFrom,
  type TaskId,
  taskIdAt,
  taskIdOfDigest,
} from '../../core/ids.ts';
import { parseRoute } from '../../dataplane/route.ts';

const hex = (length: number) =>
  fc.string({ unit: fc.constantFrom(...'0123456789abcdef'), minLength: length, maxLength: length });
const digest = fc.oneof(
  hex(64).map((digits) => `sha256:${digits}`),
  hex(128).map((digits) => `sha512:${digits}`),
);
/** Text that is nearly an id. */
const nearly = fc.oneof(
  fc.string({ unit: 'binary' }),
  fc
    .tuple(
      digest,
      fc.constantFrom('\n', ' ', '.', '*', '>', '/', '\0', 'g', '0', 'A', ''),
      fc.nat({ max: 140 }),
    )
    .map(([text, odd, at]) => text.replace(':', '-').slice(0, at) + odd + text.slice(at)),
);

test('a digest is a task id and back', () => {
  fc.assert(
    fc.property(digest, (text) => {
      const parsed = parseDigest(text);
      const taskId = taskIdOfDigest(parsed);
      expect(isTaskId(taskId)).toBe(true);
      expect(parseTaskId(taskId)).toBe(taskId);
      expect(digestOfTask(taskId)).toBe(parsed);
      expect(text.startsWith(`${digestAlgorithm(parsed)}:`)).toBe(true);
    }),
  );
});

test('a digest may be written in upper case and with blanks around it', () => {
  fc.assert(
    fc.property(digest, (text) => {
      expect(parseDigest(` ${text.toUpperCase()}\n`)).toBe(text);
    }),
  );
});

test('the task of a URL has no digest', () => {
  expect(digestOfTask(`url-${'0'.repeat(64)}` as TaskId)).toBeUndefined();
});

test.each([
  ['', 'nothing'],
  ['sha256:', 'no digits'],
  [`sha256:${'0'.repeat(63)}`, 'a digit short'],
  [`sha256:${'0'.repeat(65)}`, 'a digit long'],
  [`sha256:${'0'.repeat(128)}`, 'the digits of another algorithm'],
  [`sha512:${'0'.repeat(64)}`, 'half the digits'],
  [`sha256-${'0'.repeat(64)}`, 'a task id'],
  [`md5:${'0'.repeat(32)}`, 'another algorithm'],
  [`sha256:${'g'.repeat(64)}`, 'digits that are none'],
  [`sha256:${'0'.repeat(64)} x`, 'more behind it'],
])('%j is no digest: %s', (text) => {
  expect(() => parseDigest(text)).toThrow(ShoalError);
});

test('what is nearly an id is refused with a short error, and what is accepted is safe in a subject and a path', () => {
  fc.assert(
    fc.property(nearly, (text) => {
      if (isTaskId(text)) {
        expect(text).toMatch(/^[a-z0-9-]{68,135}$/);
        return;
      }
      try {
        parseTaskId(text);
        expect.unreachable();
      } catch (error) {
        expect((error as ShoalError).code).toBe('ERR_TASK_ID_INVALID');
        expect((error as ShoalError).message.length).toBeLessThan(1500);
      }
    }),
    { numRuns: 500 },
  );
});

test('a line break behind an id makes it no id', () => {
  const digits = '0'.repeat(64);
  expect(isTaskId(`sha256-${digits}\n`)).toBe(false);
  expect(isHostId(`${'0'.repeat(32)}\n`)).toBe(false);
  expect(isResourceId(`${digits}\n`)).toBe(false);
});

test('a very long text is refused with a short error', () => {
  const long = 'sha256-'.repeat(100_000);
  for (const parse of [parseTaskId, parseDigest]) {
    expect(() => parse(long)).toThrow(
      expect.objectContaining({ message: expect.stringMatching(/^.{1,300}$/) }),
    );
  }
});

test('ids made of random bytes are ids, whatever buffer the bytes lie in', () => {
  fc.assert(
    fc.property(fc.uint8Array({ minLength: 16, maxLength: 16 }), fc.nat({ max: 9 }), (bytes, offset) => {
      const wide = new Uint8Array(40);
      wide.set(bytes, offset);
      const hostId = hostIdFrom(wide.subarray(offset, offset + 16));
      expect(isHostId(hostId)).toBe(true);
      expect(hostId).toBe(Buffer.from(bytes).toString('hex'));
      const schedulerId = schedulerIdFrom(wide.subarray(offset, offset + 8));
      expect(schedulerId).toMatch(/^[0-9a-f]{16}$/);
      expect(hostId.startsWith(schedulerId)).toBe(true);
    }),
  );
});

test('a digest is told from a URL', () => {
  for (const text of [' SHA256:00', 'sha512-00', 'sha256:zz']) expect(looksLikeDigest(text)).toBe(true);
  for (const text of ['http://sha256:1/', 'sha256', 'sha1:00', '']) expect(looksLikeDigest(text)).toBe(false);
});

test('partitions are the first 32 bits of a SHA-256, and even', () => {
  const counts = new Array<number>(PARTITIONS).fill(0);
  for (let index = 0; index < 6400; index += 1) {
    const id = `sha256-${createHash('sha256').update(String(index)).digest('hex')}` as TaskId;
    const partition = partitionOf(id);
    counts[partition] = (counts[partition] ?? 0) + 1;
  }
  expect(Math.min(...counts)).toBeGreaterThan(60);
  expect(Math.max(...counts)).toBeLessThan(150);
  // A swarm keeps its partitions through every version: this value never changes.
  expect(partitionOf(`sha256-${'0'.repeat(64)}` as TaskId)).toBe(
    Number(
      BigInt(
        `0x${createHash('sha256')
          .update(`sha256-${'0'.repeat(64)}`)
          .digest('hex')
          .slice(0, 8)}`,
      ) % 64n,
    ),
  );
});

test('the task of a digest at one place has that digest, and a name of its own for each place', () => {
  for (const [algorithm, digits] of [
    ['sha256', 64],
    ['sha512', 128],
  ] as const) {
    const digest = parseDigest(`${algorithm}:${'ab'.repeat(digits / 2)}`);
    const [here, there] = ['https://a.test', 'https://b.test'].map((place) => taskIdAt(digest, place));
    expect(new Set([here, there, taskIdOfDigest(digest)]).size).toBe(3);
    expect(here !== undefined && isTaskId(here) && digestOfTask(here)).toBe(digest);
    expect(parseRoute(`/v1/task/${here}/have`)).toEqual({ kind: 'have', taskId: here });
  }
});
