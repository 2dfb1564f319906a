import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import type { Door } from '../../app/door.ts';
import { type GetJob, type GetTarget, runGet } from '../../app/getter.ts';
import { openOutput } from '../../app/output.ts';
import type { GetRequest } from '../../core/download.ts';
import { ShoalError } from '../../core/errors.ts';
import { RESULT } from '../admin/fake-control.ts';
import { tempDir } from '../support/temp-dir.ts';

const REQUEST: GetRequest = { resource: 'http://origin/file', headers: {}, noOrigin: false, maxStaleMs: 0 };
const never = new AbortController().signal;
const gone = () => new ShoalError('ERR_DAEMON_UNAVAILABLE', 'gone', { details: { why: 'lost' } });

function door(overrides: Partial<Door> = {}): Door & { closed: number } {
  const made = {
    kind: 'daemon' as const,
    natsUrl: 'nats://told',
    cacheIsOurs: false,
    get: async () => RESULT,
    stream: async function* (_request: GetRequest, onResult: (result: typeof RESULT) => void) {
      onResult(RESULT);
      yield Buffer.from('abc');
      yield Buffer.from('def');
    },
    closed: 0,
    async [Symbol.asyncDispose]() {
      made.closed++;
    },
    ...overrides,
  };
  return made;
}

function job(target: GetTarget, ...doors: Door[]): GetJob & { notes: string[]; told: unknown[] } {
  const notes: string[] = [];
  const told: unknown[] = [];
  const next = async (): Promise<Door> => doors.shift() ?? Promise.reject(new Error('no more doors'));
  return {
    request: REQUEST,
    target,
    open: next,
    reopen: (natsUrl) => {
      told.push(natsUrl);
      return next();
    },
    onProgress: () => undefined,
    note: (text) => notes.push(text),
    notes,
    told,
  };
}

function written() {
  const parts: Uint8Array[] = [];
  const target: GetTarget = {
    kind: 'stream',
    write: async (chunk) => {
      parts.push(Buffer.from(chunk));
    },
  };
  return { target, text: () => Buffer.concat(parts).toString() };
}

test('a cached file is copied to the output', async () => {
  await using dir = await tempDir();
  const path = join(dir.path, 'cached');
  writeFileSync(path, 'abcdef');
  const from = door({ get: async () => ({ ...RESULT, path }) });
  const file = openOutput(join(dir.path, 'out'));
  const end = await runGet(job({ kind: 'file', file }, from), never);
  expect(end).toEqual({ result: { ...RESULT, path }, via: 'daemon', unchanged: false });
  expect(readFileSync(file.path, 'utf8')).toBe('abcdef');
  expect(readdirSync(dir.path).sort()).toEqual(['cached', 'out']);
  expect(from.closed).toBe(1);
});

test('a cached file that may not be read comes over the socket', async () => {
  await using dir = await tempDir();
  for (const path of [undefined, '/nowhere/cached']) {
    const { path: _path, ...rest } = RESULT;
    const from = door({ get: async () => ({ ...rest, ...(path !== undefined && { path }) }) });
    const file = openOutput(join(dir.path, 'out'));
    await runGet(job({ kind: 'file', file }, from), never);
    expect(readFileSync(file.path, 'utf8')).toBe('abcdef');
  }
});

test('a file of a cache that goes with its door is moved', async () => {
  await using dir = await tempDir();
  const path = join(dir.path, 'cached');
  writeFileSync(path, 'abcdef');
  const from = door({ kind: 'direct', cacheIsOurs: true, get: async () => ({ ...RESULT, path }) });
  const file = openOutput(join(dir.path, 'out'));
  await runGet(job({ kind: 'file', file }, from), never);
  expect(readdirSync(dir.path)).toEqual(['out']);
});

test('when the daemon dies, another way is taken, with the NATS it had told', async () => {
  for (const error of [gone(), new ShoalError('ERR_CANCELLED', 'stopping')]) {
    const dying = door({ get: () => Promise.reject(error) });
    const own = door({ kind: 'swarm' });
    const work = job({ kind: 'cache' }, dying, own);
    expect((await runGet(work, never)).via).toBe('swarm');
    expect(work.told).toEqual(['nats://told']);
    expect(work.notes).toHaveLength(1);
    expect([dying.closed, own.closed]).toEqual([0, 1]);
  }
});

test('a stream whose daemon dies goes on behind what was written', async () => {
  const dying = door({
    stream: async function* (_request, onResult) {
      onResult(RESULT);
      yield Buffer.from('abcd');
      throw gone();
    },
  });
  const { target, text } = written();
  const end = await runGet(job(target, dying, door()), never);
  expect(text()).toBe('abcdef');
  expect(end.result.length).toBe(6);
});

test.each([
  ['another beginning', 'xy'],
  ['a longer one', 'abcdefgh'],
])('a stream never mixes two versions: %s', async (_name, first) => {
  const dying = door({
    stream: async function* () {
      yield Buffer.from(first);
      throw gone();
    },
  });
  const { target, text } = written();
  await expect(runGet(job(target, dying, door()), never)).rejects.toMatchObject({ code: 'ERR_TASK_CHANGED' });
  expect(text()).toBe(first);
});

test('an error that is not of the daemon ends the get at once', async () => {
  const failing = door({ get: () => Promise.reject(new ShoalError('ERR_DIGEST_MISMATCH', 'wrong')) });
  await expect(runGet(job({ kind: 'cache' }, failing, door()), never)).rejects.toMatchObject({
    code: 'ERR_DIGEST_MISMATCH',
  });
  expect(failing.closed).toBe(1);
});

test('an abort is told with its own reason, whatever the daemon says', async () => {
  const stop = new AbortController();
  const slow = door({
    get: async () => {
      stop.abort(new ShoalError('ERR_TIMEOUT', 'not done in 1 s'));
      throw new ShoalError('ERR_CANCELLED', 'the client went away');
    },
  });
  await expect(runGet(job({ kind: 'cache' }, slow, door()), stop.signal)).rejects.toMatchObject({
    code: 'ERR_TIMEOUT',
  });
});
