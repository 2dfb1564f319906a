import { once } from 'node:events';
import { statSync } from 'node:fs';
import { request } from 'node:http';
import { connect, createServer } from 'node:net';
import { join } from 'node:path';
import { expect, test, vi } from 'vitest';
import { connectDaemon } from '../../admin/client.ts';
import type { HostControl } from '../../admin/control.ts';
import { startAdmin } from '../../admin/server.ts';
import type { GetRequest } from '../../core/download.ts';
import { ShoalError } from '../../core/errors.ts';
import { silentLogger } from '../../core/logger.ts';
import { tempDir } from '../support/temp-dir.ts';
import { fakeControl, RESULT, STATUS, TASK } from './fake-control.ts';

const ASK: GetRequest = { resource: 'http://origin/file', headers: {}, noOrigin: false, maxStaleMs: 0 };
const never = new AbortController().signal;

async function serving(control: HostControl | Promise<HostControl> = fakeControl()) {
  const dir = await tempDir();
  const admin = await startAdmin({ dir: dir.path, control, logger: silentLogger });
  return {
    dir: dir.path,
    admin,
    async [Symbol.asyncDispose]() {
      await admin[Symbol.asyncDispose]();
      await dir[Symbol.asyncDispose]();
    },
  };
}

test('every route answers what the control says', async () => {
  await using served = await serving();
  const client = await connectDaemon(served.dir);
  expect(await client.status()).toEqual(STATUS);
  expect(await client.tasks()).toHaveLength(1);
  expect(await client.task(TASK.taskId)).toEqual(TASK);
  expect(await client.removeTask(TASK.taskId)).toEqual({ hosts: 2 });
  expect(await client.hosts()).toEqual([]);
  expect(await client.history(TASK.taskId)).toMatchObject({ taskId: TASK.taskId, hashes: 1 });
  expect(await client.explain(TASK.taskId)).toMatchObject({ taskId: TASK.taskId, hosts: [] });
  expect(await client.get(ASK, () => undefined, never)).toEqual(RESULT);
});

test('an error keeps its code, message and details across the socket', async () => {
  const details = { status: 404 };
  await using served = await serving(
    fakeControl({
      get: () => Promise.reject(new ShoalError('ERR_SOURCE_NOT_FOUND', 'nothing there', { details })),
    }),
  );
  const client = await connectDaemon(served.dir);
  await expect(client.task('x/../y')).rejects.toMatchObject({ code: 'ERR_TASK_NOT_FOUND' });
  await expect(client.get(ASK, () => undefined, never)).rejects.toMatchObject({
    code: 'ERR_SOURCE_NOT_FOUND',
    message: 'nothing there',
    details,
  });
});

test('progress reaches the client, the newest where it comes fast', async () => {
  await using served = await serving(
    fakeControl({
      async get(_request, onProgress) {
        for (let doneBytes = 1; doneBytes <= 1000; doneBytes++) {
          const bytes = { origin: 0, peers: doneBytes, local: 0 };
          onProgress({ doneBytes, bytes, parents: 1, state: 'transferring' });
        }
        return RESULT;
      },
    }),
  );
  const seen: number[] = [];
  const client = await connectDaemon(served.dir);
  await client.get(ASK, (progress) => seen.push(progress.doneBytes), never);
  expect(seen.at(-1)).toBe(1000);
  expect(seen.length).toBeLessThan(1000);
});

test('a client that goes away cancels its get', async () => {
  let cancelled: unknown;
  const started = deferred();
  await using served = await serving(
    fakeControl({
      get: (_request, _onProgress, signal) =>
        new Promise((_resolve, reject) => {
          started.resolve();
          signal.addEventListener('abort', () => {
            cancelled = signal.reason;
            reject(signal.reason as Error);
          });
        }),
    }),
  );
  const client = await connectDaemon(served.dir);
  const stop = new AbortController();
  const got = client.get(ASK, () => undefined, stop.signal);
  await started.promise;
  stop.abort(new ShoalError('ERR_CANCELLED', 'interrupted'));
  await expect(got).rejects.toMatchObject({ code: 'ERR_CANCELLED' });
  await vi.waitFor(() => expect(cancelled).toMatchObject({ code: 'ERR_CANCELLED' }));
});

test('content streams in order, whatever the size of its chunks', async () => {
  const chunks = [1, 70_000, 3_000_000, 0, 5].map((size, index) => Buffer.alloc(size, index));
  await using served = await serving(
    fakeControl({
      async *stream(_request, onResult) {
        onResult(RESULT);
        yield* chunks;
      },
    }),
  );
  const client = await connectDaemon(served.dir);
  const results: unknown[] = [];
  const parts: Uint8Array[] = [];
  for await (const part of client.stream(ASK, (result) => results.push(result), never)) parts.push(part);
  expect(results).toEqual([RESULT]);
  expect(Buffer.concat(parts).equals(Buffer.concat(chunks))).toBe(true);
});

test('an error in the middle of a stream is an error at the client', async () => {
  await using served = await serving(
    fakeControl({
      async *stream(_request, onResult) {
        onResult(RESULT);
        yield Buffer.from('abc');
        throw new ShoalError('ERR_TASK_CHANGED', 'another version');
      },
    }),
  );
  const client = await connectDaemon(served.dir);
  const read = async () => {
    let text = '';
    for await (const part of client.stream(ASK, () => undefined, never)) text += Buffer.from(part).toString();
    return text;
  };
  await expect(read()).rejects.toMatchObject({ code: 'ERR_TASK_CHANGED' });
});

test('a slow reader of a stream is waited for', async () => {
  let given = 0;
  await using served = await serving(
    fakeControl({
      async *stream() {
        for (; given < 400; given++) yield Buffer.alloc(256 * 1024);
      },
    }),
  );
  const client = await connectDaemon(served.dir);
  const stream = client.stream(ASK, () => undefined, never)[Symbol.asyncIterator]();
  await stream.next();
  let before = -1;
  await vi.waitFor(() => {
    const settled = given === before;
    before = given;
    expect(settled).toBe(true);
  });
  expect(given).toBeLessThan(100);
  let bytes = 0;
  for (let next = await stream.next(); next.done !== true; next = await stream.next())
    bytes += next.value.length;
  expect(bytes).toBeGreaterThan(99 * 1024 * 1024);
});

test('a request made while the host opens waits for it', async () => {
  const opening = deferred<HostControl>();
  await using served = await serving(opening.promise);
  const client = connectDaemon(served.dir);
  opening.resolve(fakeControl());
  expect(await (await client).status()).toEqual(STATUS);
});

test.each([
  ['no body at all', ''],
  ['no JSON', '{'],
  ['no resource', '{}'],
  ['a number for a resource', '{"resource":1}'],
  ['a negative age', '{"resource":"x","maxStaleMs":-1}'],
])('a get with %s is refused as a bad request', async (_name, body) => {
  await using served = await serving();
  const asking = request({
    socketPath: served.admin.socketPath,
    method: 'POST',
    path: '/v1/get',
    headers: { 'content-type': 'application/json' },
  });
  asking.end(body);
  const [answer] = await once(asking, 'response');
  expect(answer.statusCode).toBe(400);
  answer.resume();
});

test('the socket has mode 0660 and goes with its daemon', async () => {
  const dir = await tempDir();
  const admin = await startAdmin({ dir: dir.path, control: fakeControl(), logger: silentLogger });
  expect(statSync(admin.socketPath).mode & 0o777).toBe(0o660);
  await admin[Symbol.asyncDispose]();
  expect(statSync(admin.socketPath, { throwIfNoEntry: false })).toBeUndefined();
  await expect(connectDaemon(dir.path)).rejects.toMatchObject({
    code: 'ERR_DAEMON_UNAVAILABLE',
    details: { why: 'absent' },
  });
  await dir[Symbol.asyncDispose]();
});

test('a second daemon in a directory is refused, and the first goes on', async () => {
  await using served = await serving();
  const second = startAdmin({ dir: served.dir, control: fakeControl(), logger: silentLogger });
  await expect(second).rejects.toMatchObject({ code: 'ERR_CONFIG_DIR_LOCKED', details: { dir: served.dir } });
  expect(await (await connectDaemon(served.dir)).status()).toEqual(STATUS);
});

test('the socket of a dead daemon is replaced', async () => {
  await using dir = await tempDir();
  const dead = createServer().listen(join(dir.path, 'dead'));
  await once(dead, 'listening');
  const { linkSync } = await import('node:fs');
  linkSync(join(dir.path, 'dead'), join(dir.path, 'shoal.sock'));
  dead.close();
  const admin = await startAdmin({ dir: dir.path, control: fakeControl(), logger: silentLogger });
  expect(await (await connectDaemon(dir.path)).status()).toEqual(STATUS);
  await admin[Symbol.asyncDispose]();
});

test('of many daemons that start in a directory at once, exactly one gets it', async () => {
  await using dir = await tempDir();
  const starts = await Promise.allSettled(
    Array.from({ length: 12 }, () =>
      startAdmin({ dir: dir.path, control: fakeControl(), logger: silentLogger }),
    ),
  );
  const got = starts.filter((start) => start.status === 'fulfilled');
  expect(got).toHaveLength(1);
  for (const start of got) await start.value[Symbol.asyncDispose]();
});

test('a path too long for a socket is said so', async () => {
  await using dir = await tempDir();
  const long = join(dir.path, 'x'.repeat(100));
  const start = startAdmin({ dir: long, control: fakeControl(), logger: silentLogger });
  await expect(start).rejects.toMatchObject({ code: 'ERR_CONFIG_INVALID' });
});

test('a stream cut at any byte is an error', async () => {
  await using served = await serving();
  const whole = await rawAnswer(served.admin.socketPath);
  const headEnd = whole.indexOf('\r\n\r\n') + 4;
  for (let cut = headEnd; cut < whole.length; cut += 7) {
    await using dir = await tempDir();
    const server = createServer((socket) => {
      socket.once('data', (data) => {
        if (data.toString().startsWith('GET')) socket.end(statusAnswer());
        else socket.end(whole.subarray(0, cut));
      });
    }).listen(join(dir.path, 'shoal.sock'));
    await once(server, 'listening');
    const client = await connectDaemon(dir.path);
    const read = async () => {
      for await (const _part of client.stream(ASK, () => undefined, never));
    };
    await expect(read(), `cut at ${cut} of ${whole.length}`).rejects.toMatchObject({
      code: 'ERR_DAEMON_UNAVAILABLE',
    });
    server.close();
  }
});

function statusAnswer(): string {
  const body = JSON.stringify(STATUS);
  return `HTTP/1.1 200 OK\r\ncontent-length: ${Buffer.byteLength(body)}\r\nconnection: close\r\n\r\n${body}`;
}

/** The bytes of the server's whole answer to a stream, up to the last frame's last byte but one. */
async function rawAnswer(socketPath: string): Promise<Buffer> {
  const socket = connect(socketPath);
  const body = JSON.stringify(ASK);
  socket.write(
    `POST /v1/stream HTTP/1.1\r\nhost: x\r\nconnection: close\r\ncontent-type: application/json\r\ncontent-length: ${body.length}\r\n\r\n${body}`,
  );
  const parts: Buffer[] = [];
  for await (const part of socket) parts.push(part as Buffer);
  const all = Buffer.concat(parts);
  return all.subarray(0, all.lastIndexOf('Z') + 5);
}

function deferred<T = void>(): { promise: Promise<T>; resolve: (value: T) => void } {
  let resolve: (value: T) => void = () => undefined;
  const promise = new Promise<T>((settle) => {
    resolve = settle;
  });
  return { promise, resolve };
}

test('how many rows are wanted crosses the socket, and what is no number is refused', async () => {
  const tasks = vi.fn<HostControl['tasks']>(async () => [TASK]);
  const hosts = vi.fn<HostControl['hosts']>(async () => []);
  await using served = await serving(fakeControl({ tasks, hosts }));
  const client = await connectDaemon(served.dir);
  await client.tasks(7);
  await client.hosts();
  expect([tasks.mock.calls, hosts.mock.calls]).toEqual([[[7]], [[undefined]]]);
  await expect(client.tasks(-1)).rejects.toMatchObject({ code: 'ERR_CONFIG_INVALID' });
});
