import fc from 'fast-check';
import { expect, test } from 'vitest';
import { Resource } from '../../actors/resource.ts';
import type { HostId, TaskId } from '../../core/ids.ts';
import type { Probed } from '../../core/probed.ts';
import type { ResolveReply, ResolveRequest } from '../../core/resolve-messages.ts';

const host = (index: number) => index.toString(16).padStart(32, '0') as HostId;
const [A, B, C] = [host(1), host(2), host(3)];
const probed: Probed = { length: 5, etag: '"1"', ranges: true, audience: 'public' };
const version = (number: number) => `url-${number.toString(16).padStart(64, '0')}` as TaskId;
const NOT_FOUND = { code: 'ERR_SOURCE_NOT_FOUND', message: 'nothing there', retryable: false };
const UNREACHABLE = { code: 'ERR_SOURCE_UNAVAILABLE', message: 'no route', retryable: true };
const WALL = Date.parse('2026-01-01T00:00:00Z');

/** A resource with a time that the test moves, and each message a little. */
function watched(stepMs = 0.01) {
  const resource = new Resource();
  let nowMs = 0;
  const send = (hostId: HostId, ask: number, more: Partial<ResolveRequest> = {}): ResolveReply => {
    nowMs += stepMs;
    return resource.resolve(
      hostId,
      {
        incarnation: 1,
        ask,
        url: 'http://origin.example/a',
        credentials: false,
        mayReadOrigin: true,
        maxStaleMs: 0,
        ...more,
      },
      nowMs,
      WALL + nowMs,
    );
  };
  return {
    resource,
    ask: send,
    found: (hostId: HostId, ask: number, taskId: TaskId, told = probed) =>
      send(hostId, ask, { outcome: { kind: 'found', taskId, probed: told, readingBytes: 0 } }),
    failed: (hostId: HostId, ask: number, error: typeof NOT_FOUND) =>
      send(hostId, ask, { outcome: { kind: 'failed', error } }),
    pass: (ms: number) => {
      nowMs += ms;
    },
    now: () => nowMs,
  };
}

test('the first asker asks the origin, and one who comes later waits for a flight of its own', () => {
  const { ask, found } = watched();
  expect(ask(A, 1)).toEqual({ status: 'ask-origin' });
  expect(ask(B, 1)).toMatchObject({ status: 'wait' });
  expect(found(A, 1, version(1))).toEqual({ status: 'resolved', taskId: version(1), probed });
  // The first flight left before it came: it asks the origin itself, saying what is known.
  expect(ask(B, 1)).toMatchObject({
    status: 'ask-origin',
    known: { taskId: version(1), validator: { etag: '"1"' } },
  });
});

test('what the log tells goes along with the first who is sent, and answers nobody who asks after it', () => {
  const { resource, ask, found, now } = watched();
  resource.recall({ taskId: version(1), probed, atMs: WALL - 1_000 }, now(), WALL);
  expect(ask(A, 1)).toMatchObject({ status: 'ask-origin', known: { taskId: version(1), probed } });
  expect(ask(B, 1, { maxStaleMs: 2_000 })).toMatchObject({ status: 'resolved', taskId: version(1) });
  expect(ask(B, 2, { maxStaleMs: 900 })).toMatchObject({ status: 'wait' });
  found(A, 1, version(2));
  // It is older than what was heard since.
  resource.recall({ taskId: version(1), probed, atMs: WALL }, now(), WALL);
  expect(ask(C, 1, { maxStaleMs: 1_000 })).toMatchObject({ status: 'resolved', taskId: version(2) });
});

test('one flight answers all who waited for it', () => {
  const { ask, found } = watched();
  ask(A, 1);
  for (const waiting of [B, C, host(4)]) expect(ask(waiting, 1)).toMatchObject({ status: 'wait' });
  found(A, 1, version(1));
  expect(ask(B, 1)).toMatchObject({ status: 'ask-origin' });
  expect(ask(C, 1)).toMatchObject({ status: 'wait' });
  found(B, 1, version(2));
  expect(ask(C, 1)).toMatchObject({ status: 'resolved', taskId: version(2) });
  expect(ask(host(4), 1)).toMatchObject({ status: 'resolved', taskId: version(2) });
});

test('the same host asking again is another request', () => {
  const { ask, found } = watched();
  ask(A, 1);
  found(A, 1, version(1));
  expect(ask(A, 2)).toMatchObject({ status: 'ask-origin' });
});

test('a host whose reply was lost is told again to ask the origin', () => {
  const { ask } = watched();
  ask(A, 1);
  expect(ask(A, 1)).toEqual({ status: 'ask-origin' });
});

test('an outcome told twice is answered twice and changes nothing', () => {
  const { ask, found } = watched();
  ask(A, 1);
  ask(B, 1);
  found(A, 1, version(1));
  ask(B, 1);
  expect(found(A, 1, version(1))).toMatchObject({ status: 'resolved', taskId: version(1) });
  expect(ask(B, 1)).toMatchObject({ status: 'ask-origin' });
});

test('a request in the very instant of an answer does not take it, unless it says that it may', () => {
  const { ask, found } = watched(0);
  ask(A, 1);
  found(A, 1, version(1));
  expect(ask(B, 1)).toMatchObject({ status: 'ask-origin' });
});

test('an answer is reused by time only where that is asked for', () => {
  const { ask, found, pass } = watched();
  ask(A, 1);
  found(A, 1, version(1));
  pass(1_000);
  expect(ask(B, 1, { maxStaleMs: 1_001 })).toMatchObject({ status: 'resolved', taskId: version(1) });
  expect(ask(B, 2, { maxStaleMs: 999 })).toMatchObject({ status: 'ask-origin' });
});

test('what the origin itself says of a failure answers those who waited, and nobody after', () => {
  const { ask, failed } = watched();
  ask(A, 1);
  ask(B, 1);
  expect(failed(A, 1, NOT_FOUND)).toEqual({ status: 'failed', error: NOT_FOUND });
  // It came after the flight left: it looks for itself.
  expect(ask(B, 1)).toMatchObject({ status: 'ask-origin' });
  ask(C, 1);
  ask(host(4), 1);
  failed(B, 1, NOT_FOUND);
  expect(ask(C, 1)).toMatchObject({ status: 'ask-origin' });
  failed(C, 1, NOT_FOUND);
  expect(ask(host(4), 1)).toEqual({ status: 'failed', error: NOT_FOUND });
  expect(ask(host(5), 1)).toMatchObject({ status: 'ask-origin' });
});

test('a host that could not reach the origin speaks for itself alone', () => {
  const { ask, failed, found } = watched();
  ask(A, 1);
  ask(B, 1);
  failed(A, 1, UNREACHABLE);
  expect(ask(B, 1)).toMatchObject({ status: 'ask-origin' });
  ask(C, 1);
  failed(B, 1, UNREACHABLE);
  expect(ask(C, 1)).toMatchObject({ status: 'ask-origin' });
  expect(found(C, 1, version(1))).toMatchObject({ status: 'resolved' });
});

test('a host that may not ask the origin waits for one that does, and else is told so', () => {
  const { ask, found } = watched();
  expect(ask(A, 1, { mayReadOrigin: false })).toMatchObject({
    status: 'failed',
    error: { code: 'ERR_SOURCE_FORBIDDEN' },
  });
  ask(B, 1);
  expect(ask(C, 1, { mayReadOrigin: false })).toMatchObject({ status: 'wait' });
  expect(ask(host(4), 1)).toMatchObject({ status: 'wait' });
  found(B, 1, version(1));
  ask(host(4), 1);
  found(host(4), 1, version(2));
  expect(ask(C, 1, { mayReadOrigin: false })).toMatchObject({ status: 'resolved', taskId: version(2) });
});

test('a host that never comes back is replaced after a while, and not before', () => {
  const { ask, found, pass } = watched();
  ask(A, 1);
  for (let second = 0; second < 15; second += 1) {
    expect(ask(B, 1)).toMatchObject({ status: 'wait' });
    pass(1_000);
  }
  pass(1);
  expect(ask(B, 1)).toMatchObject({ status: 'ask-origin' });
  expect(found(B, 1, version(2))).toMatchObject({ status: 'resolved' });
  // The one that was given up gets its own answer, and does not replace the newer one.
  expect(found(A, 1, version(1))).toMatchObject({ status: 'resolved', taskId: version(1) });
  expect(ask(C, 1, { maxStaleMs: 60_000 })).toMatchObject({ taskId: version(2) });
});

test('a flight given up that lands after all does not answer those who came after it left', () => {
  const { ask, found, pass } = watched();
  ask(A, 1);
  pass(15_001);
  expect(ask(B, 1)).toMatchObject({ status: 'ask-origin' });
  pass(10);
  found(A, 1, version(1));
  // It came when the flight of A had long left, and that of B is still under way.
  expect(ask(B, 1)).toMatchObject({ status: 'ask-origin' });
  expect(ask(C, 1)).toMatchObject({ status: 'wait' });
  expect(ask(C, 2, { maxStaleMs: 1_000 })).toMatchObject({ status: 'resolved', taskId: version(1) });
});

test.each([
  ['3 s old', '2025-12-31T23:59:57Z', true],
  ['1 s old', '2025-12-31T23:59:59Z', false],
  ['from the future', '2026-01-01T01:00:00Z', false],
  ['not a date', 'yesterday', false],
])('a Last-Modified %s proves sameness: %s', (_, lastModified, proves) => {
  const { ask, found, pass } = watched();
  ask(A, 1);
  found(A, 1, version(1), { ...probed, etag: undefined, lastModified, encoding: 'gzip' });
  if (!proves) {
    expect(ask(B, 1).status).toBe('wait');
    pass(1_000);
  }
  const validator = { etag: undefined, lastModified: proves ? lastModified : undefined };
  expect(ask(B, 1)).toMatchObject({
    status: 'ask-origin',
    known: { validator, probed: { encoding: 'gzip' } },
  });
});

test('those who come within a second of an answer that tells no version share the next one', () => {
  const plain: Probed = { length: 5, ranges: false, audience: 'public' };
  const { ask, found, pass } = watched();
  ask(A, 1);
  found(A, 1, version(1), plain);
  pass(300);
  expect(ask(B, 1)).toMatchObject({ status: 'wait', afterMs: 700 });
  pass(600);
  expect(ask(C, 1)).toMatchObject({ status: 'wait', afterMs: 100 });
  pass(100);
  expect(ask(B, 1)).toMatchObject({ status: 'ask-origin', known: { validator: {} } });
  found(B, 1, version(2), plain);
  expect(ask(C, 1)).toMatchObject({ status: 'resolved', taskId: version(2) });
  pass(1_001);
  expect(ask(A, 2).status).toBe('ask-origin');
});

test('whom one stream alone will do is given one that left after it came, and no parts', () => {
  const stream: Probed = { ...probed, etag: undefined, ranges: false };
  const { ask, found } = watched();
  ask(A, 1);
  ask(B, 1);
  found(A, 1, version(1));
  expect(ask(B, 1)).toMatchObject({ status: 'ask-origin' });
  ask(A, 2);
  ask(C, 1);
  found(B, 1, version(2));
  expect(ask(A, 2, { whole: true, maxStaleMs: 60_000 })).toMatchObject({ status: 'ask-origin' });
  expect(ask(C, 1, { whole: true })).toMatchObject({ status: 'wait' });
  found(A, 2, version(3), stream);
  expect(ask(C, 1, { whole: true })).toMatchObject({ status: 'resolved', taskId: version(3) });
  expect(ask(B, 2, { whole: true }).status).not.toBe('resolved');
});

test('it is idle when it was not used for an hour and nobody is on the way', () => {
  const { ask, found, resource, pass, now } = watched();
  ask(A, 1);
  pass(3_600_001);
  expect(resource.isIdle(now())).toBe(false);
  found(A, 1, version(1));
  expect(resource.isIdle(now())).toBe(false);
  pass(3_600_001);
  expect(resource.isIdle(now())).toBe(true);
});

test('whoever asks sees at least the version that the origin had when they asked, in any order of events', () => {
  const step = fc.oneof(
    { weight: 6, arbitrary: fc.record({ kind: fc.constant('ask' as const), host: fc.nat({ max: 4 }) }) },
    { weight: 3, arbitrary: fc.record({ kind: fc.constant('land' as const), host: fc.nat({ max: 4 }) }) },
    { weight: 1, arbitrary: fc.record({ kind: fc.constant('fail' as const), host: fc.nat({ max: 4 }) }) },
    { weight: 2, arbitrary: fc.record({ kind: fc.constant('update' as const), host: fc.constant(0) }) },
    { weight: 1, arbitrary: fc.record({ kind: fc.constant('pass' as const), host: fc.constant(0) }) },
  );
  fc.assert(
    fc.property(fc.array(step, { maxLength: 80 }), (steps) => {
      const { ask, found, failed, pass } = watched();
      let origin = 1;
      let running = 0;
      const asks = Array.from({ length: 5 }, () => ({ number: 1, since: 0, reads: 0 }));
      const answered = (row: (typeof asks)[number], reply: ResolveReply) => {
        if (reply.status === 'resolved') {
          expect(Number.parseInt(reply.taskId.slice(4), 16)).toBeGreaterThanOrEqual(row.since);
        }
        if (reply.status === 'resolved' || reply.status === 'failed') {
          row.number += 1;
          row.since = 0;
        }
      };
      for (const { kind, host: index } of steps) {
        const row = asks[index];
        if (row === undefined) continue;
        const hostId = host(index + 1);
        if (kind === 'update') origin += 1;
        if (kind === 'pass') pass(100);
        if (kind === 'ask' && row.reads === 0) {
          if (row.since === 0) row.since = origin;
          const reply = ask(hostId, row.number);
          if (reply.status === 'ask-origin') {
            running += 1;
            // The oldest that its answer can be: read the moment it left.
            row.reads = origin;
          }
          expect(running).toBeLessThanOrEqual(1);
          answered(row, reply);
        }
        if ((kind === 'land' || kind === 'fail') && row.reads > 0) {
          running -= 1;
          const reply =
            kind === 'land'
              ? found(hostId, row.number, version(row.reads))
              : failed(hostId, row.number, UNREACHABLE);
          row.reads = 0;
          answered(row, reply);
        }
      }
    }),
    { numRuns: 500 },
  );
});

test('a task whose one stream broke off is not pointed to again, not by a flight that knew it either', () => {
  const { ask, found } = watched();
  const plain: Probed = {
    length: 5,
    lastModified: 'Mon, 01 Jan 2024 00:00:00 GMT',
    ranges: false,
    audience: 'public',
  };
  ask(A, 1);
  found(A, 1, version(1), plain);
  expect(ask(B, 1)).toMatchObject({ status: 'ask-origin', known: { taskId: version(1) } });
  expect(ask(C, 1, { brokenOff: version(1), maxStaleMs: 60_000 })).toMatchObject({ status: 'wait' });
  found(B, 1, version(1), plain);
  expect(ask(C, 1, { brokenOff: version(1), maxStaleMs: 60_000 })).toEqual({ status: 'ask-origin' });
  found(C, 1, version(2), plain);
  expect(ask(A, 2, { brokenOff: version(1), maxStaleMs: 60_000 })).toMatchObject({ taskId: version(2) });
});

test('a task that a strong ETag names is pointed to whatever a host says of it', () => {
  const { ask, found } = watched();
  ask(A, 1);
  found(A, 1, version(1));
  expect(ask(B, 1, { brokenOff: version(1), maxStaleMs: 60_000 })).toMatchObject({ taskId: version(1) });
});

test('a host that is gone is replaced at once by the next who asks, and nobody by one that was not sent', () => {
  const { ask, resource } = watched();
  ask(A, 1);
  resource.lose(B);
  expect(ask(C, 1)).toMatchObject({ status: 'wait' });
  resource.lose(A);
  expect(ask(C, 1)).toEqual({ status: 'ask-origin' });
});

test('what a host tells that was given up does not end the flight of the one sent instead', () => {
  for (const answered of [true, false]) {
    const { ask, found, failed, pass } = watched();
    ask(A, 1);
    pass(15_001);
    expect(ask(B, 1)).toMatchObject({ status: 'ask-origin' });
    if (answered) found(A, 1, version(1));
    else failed(A, 1, NOT_FOUND);
    expect(ask(C, 1)).toMatchObject({ status: 'wait' });
    found(B, 1, version(2));
    expect(ask(C, 1)).toMatchObject({ status: 'ask-origin' });
  }
});

test('a task whose one stream broke off is not given to those either to whom an old answer would do', () => {
  const { ask, found } = watched();
  const plain: Probed = { length: 5, ranges: false, audience: 'public' };
  ask(A, 1);
  found(A, 1, version(1), plain);
  ask(B, 1, { brokenOff: version(1) });
  expect(found(B, 1, version(1), plain)).toMatchObject({ taskId: version(1) });
  expect(ask(C, 1, { maxStaleMs: 60_000 })).toEqual({ status: 'ask-origin' });
});
