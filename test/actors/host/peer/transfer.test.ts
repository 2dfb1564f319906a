import { expect, test, vi } from 'vitest';
import { PeerContent } from '../../../../actors/host/peer/content.ts';
import { LeaseBook } from '../../../../actors/host/peer/lease-book.ts';
import { PeerOrigin } from '../../../../actors/host/peer/origin.ts';
import { Transfer } from '../../../../actors/host/peer/transfer.ts';
import type { PieceActor } from '../../../../actors/host/piece/piece.ts';
import { SlotPool } from '../../../../actors/host/slot-pool.ts';
import type { HostWorld } from '../../../../actors/host/world.ts';
import { ShoalError } from '../../../../core/errors.ts';
import type { TaskId } from '../../../../core/ids.ts';
import type { Run } from '../../../../core/run.ts';
import type { OpenBody, OriginRequest, ProbeAnswer } from '../../../../origins/origin.ts';
import { createMemoryStore } from '../../../../storage/memory-store.ts';

const taskId = `sha256-${'0'.repeat(64)}` as TaskId;

const ofUrl = `url-${'0'.repeat(64)}` as TaskId;

/** Reads a run of some content from its origin, as a lease of it does; resolves when that has ended. */
function leased(world: HostWorld, content: PeerContent, originRequest: () => OriginRequest) {
  return (run: Run, body?: OpenBody) =>
    new Promise<PieceActor>((onEnd) => {
      const book = new LeaseBook({
        pool: new SlotPool(1),
        isHeld: (first, count) => content.hasRun(first, count),
        isReady: () => true,
        expected: (piece) => content.expected(piece),
        transfer: (lease) =>
          new Transfer(
            { world, content, originRequest, onBytes() {}, load: () => ({ cameBytes: 0, running: 1 }) },
            lease,
          ),
        onStored() {},
        onEnd,
      });
      if (body) book.open(run, body);
      else book.replace([run]);
    });
}

/** Content of three pieces of ten bytes whose origin gives no ranges, and what a second request there is answered. */
async function streamed(id = taskId, again?: ProbeAnswer) {
  const content = new PeerContent(createMemoryStore({ clock: { wall: () => 0 } }), id, [], '');
  await content.learn(30, 10);
  content.ranges = false;
  const probe = vi.fn(() => Promise.resolve(again));
  const world = { clock: { now: () => 0 }, log: { debug() {} }, origin: { probe } } as unknown as HostWorld;
  const lease = leased(world, content, () => ({ url: 'http://origin.test/a', headers: {} }));
  const read = (first: number, body?: OpenBody) =>
    lease({ first, count: 3 - first, from: 'origin', hedge: false }, body);
  return { content, read, probe };
}

function bodyFrom(start: number) {
  const pump = vi.fn<OpenBody['pump']>(async (sink) => {
    await sink(new Uint8Array(30));
    return 30;
  });
  return { start, end: 30, pump, discard: vi.fn() };
}

test('a stream is taken from its first byte to its last', async () => {
  const { content, read } = await streamed();
  expect((await read(0, bodyFrom(0))).failure).toBeUndefined();
  expect(content.complete).toBe(true);
});

test('a stream is not written anywhere but from the first byte on', async () => {
  for (const [first, start, code] of [
    [1, 0, 'ERR_SOURCE_PROTOCOL'],
    [0, 10, 'ERR_INTERNAL'],
  ] as const) {
    const { content, read } = await streamed();
    const body = bodyFrom(start);
    expect((await read(first, body)).failure?.error.code).toBe(code);
    expect(content.stored?.have.count).toBe(0);
    expect(body.pump).not.toHaveBeenCalled();
    expect(body.discard).toHaveBeenCalled();
  }
});

function answered(etag: string | undefined, length = 30) {
  const body = bodyFrom(0);
  return {
    kind: 'content' as const,
    probed: { length, etag, ranges: false, audience: 'public' as const },
    body,
  };
}

test.each([
  ['the same ETag and length', '"1"', answered('"1"'), undefined],
  ['another ETag', '"1"', answered('"2"'), 'ERR_TASK_CHANGED'],
  ['no ETag any more', '"1"', answered(undefined), 'ERR_TASK_CHANGED'],
  ['another length', '"1"', answered('"1"', 31), 'ERR_TASK_CHANGED'],
])('a broken stream is read once more: %s', async (_, etag, again, code) => {
  const { content, read } = await streamed(ofUrl, again);
  content.etag = etag;
  expect((await read(0)).failure?.error.code).toBe(code);
  expect(again.body.discard).toHaveBeenCalledTimes(code === undefined ? 0 : 1);
});

test('a broken stream is not asked for again where nothing could tell that it is the same', async () => {
  const { read, probe } = await streamed(ofUrl, answered(undefined));
  expect((await read(0)).failure?.error.code).toBe('ERR_TASK_CHANGED');
  expect(probe).not.toHaveBeenCalled();
});

test('where the whole has a digest, a second stream may come with another ETag', async () => {
  const { content, read } = await streamed(taskId, answered('"2"'));
  content.etag = '"1"';
  expect((await read(0)).failure).toBeUndefined();
});

test('a lease that waited while the origin failed ends with what the origin said', async () => {
  const content = new PeerContent(createMemoryStore({ clock: { wall: () => 0 } }), taskId, [], '');
  await content.learn(30, 10);
  const world = { clock: { now: () => 0 } } as unknown as HostWorld;
  const source = { url: 'http://origin.test/a', credentials: false };
  const origin = new PeerOrigin({ sources: [source], headers: {}, mayReadOrigin: true }, world, content);
  origin.failed('origin-unavailable', new ShoalError('ERR_SOURCE_UNAVAILABLE', 'no answer'), 0);
  const lease = leased(world, content, origin.demand);
  const { failure } = await lease({ first: 0, count: 1, from: 'origin', hedge: false });
  expect(failure).toMatchObject({ reason: 'origin-unavailable', error: { code: 'ERR_SOURCE_UNAVAILABLE' } });
});
