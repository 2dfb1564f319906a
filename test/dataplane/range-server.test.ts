import { connect } from 'node:net';
import { performance } from 'node:perf_hooks';
import fc from 'fast-check';
import { describe, expect, test, vi } from 'vitest';
import { Bitfield } from '../../core/bitfield.ts';
import { createAdmission } from '../../dataplane/admission.ts';
import { formatAuthorization } from '../../dataplane/authorization.ts';
import { createLimiter } from '../../dataplane/limiter.ts';
import {
  fakeTask,
  fetchBytes,
  KIB,
  newChild,
  newMember,
  type Parent,
  realWall,
  SWARM,
  startParent,
} from './fixture.ts';

const signal = new AbortController().signal;

/** Sends text as it is, and takes all that comes back until the server closes or falls silent with `until`. */
function raw(parent: Parent, text: string | Uint8Array, until?: (got: string) => boolean): Promise<string> {
  return new Promise((resolve) => {
    const socket = connect({ host: '127.0.0.1', port: parent.server.port });
    let got = '';
    socket.setEncoding('latin1');
    socket.on('data', (chunk: string) => {
      got += chunk;
      if (until?.(got)) socket.destroy();
    });
    socket.on('error', () => {});
    socket.on('close', () => resolve(got));
    socket.write(text);
  });
}

function authorized(parent: Parent): string {
  const { identity, token } = newMember();
  return formatAuthorization(identity, token, parent.address.hostId, Date.now());
}

function request(path: string, headers: Readonly<Record<string, string>> = {}, method = 'GET'): string {
  const lines = Object.entries({ Host: 'x', ...headers }).map(([name, value]) => `${name}: ${value}\r\n`);
  return `${method} ${path} HTTP/1.1\r\n${lines.join('')}\r\n`;
}

/** Status of an answer without a body, and proof that it has none. */
function bare(answer: string): number {
  const [head = '', body] = answer.split('\r\n\r\n');
  expect(body).toBe('');
  return Number(/^HTTP\/1\.1 (\d{3}) /.exec(head)?.[1]);
}

describe('a stranger', () => {
  test('gets 401, no byte, and no second request', async () => {
    const task = fakeTask(1000);
    await using parent = await startParent([task]);
    const path = `/v1/task/${task.taskId}`;
    for (const headers of [
      {},
      { Authorization: 'Shoal a.b 1 c' },
      { Authorization: 'Basic eDp5' },
      {
        Authorization: authorized({ ...parent, address: { ...parent.address, hostId: newMember().hostId } }),
      },
    ]) {
      for (const at of [path, `${path}/have`, '/', '/v1/task/none']) {
        const twice = request(at, { ...headers, Range: 'bytes=0-9' });
        const answer = await raw(parent, twice + twice);
        expect(bare(answer)).toBe(401);
        expect(answer).toContain('Connection: close');
      }
    }
    expect(parent.server.sentBytes).toBe(0);
  });

  test('whose scheduler is unknown gets 425 and no byte', async () => {
    const task = fakeTask(1000);
    const unknown: string[] = [];
    const { identity, token, hostId } = newMember();
    await using parent = await startParent([task], {
      admission: createAdmission({
        swarm: SWARM,
        selfHostId: hostId,
        keys: () => new Map(),
        clock: realWall,
        isolated: () => false,
        onUnknownKey: (keyId) => unknown.push(keyId),
      }),
    });
    const header = formatAuthorization(identity, token, hostId, Date.now());
    const answer = await raw(parent, request(`/v1/task/${task.taskId}`, { Authorization: header }));
    expect(bare(answer)).toBe(425);
    expect(unknown).toHaveLength(1);
  });

  test('gets no byte for any garbage, and the server goes on', async () => {
    const task = fakeTask(1000);
    await using parent = await startParent([task]);
    await using child = newChild();
    const line = `GET /v1/task/${task.taskId} HTTP/1.1\r\n`;
    const texts = fc.oneof(
      fc.uint8Array({ minLength: 1, maxLength: 300 }),
      fc.string({ unit: 'binary-ascii' }).map((text) => Buffer.from(`${line}Authorization: ${text}\r\n\r\n`)),
      fc.string().map((text) => Buffer.from(`${line}${text}\r\n\r\n`)),
    );
    await fc.assert(
      fc.asyncProperty(texts, async (bytes) => {
        const end = Buffer.from('\r\n\r\n\r\n\r\n');
        const answer = await raw(parent, Buffer.concat([bytes, end]), (got) => got.includes('\r\n\r\n'));
        return !/^HTTP\/1\.1 [23]/.test(answer);
      }),
      { numRuns: 60 },
    );
    await expect(
      fetchBytes(child, parent.address, task.taskId, { start: 0, end: 1000 }),
    ).resolves.toBeDefined();
    expect(parent.server.sentBytes).toBe(1000);
  });

  test('with an endless head is cut off', async () => {
    await using parent = await startParent([]);
    const answer = await raw(parent, `GET / HTTP/1.1\r\nX: ${'y'.repeat(20 * KIB)}`);
    expect(answer).not.toMatch(/^HTTP\/1\.1 [23]/);
  });
});

describe('a member', () => {
  test('finds nothing outside the two paths of the data plane', async () => {
    const task = fakeTask(1000);
    await using parent = await startParent([task]);
    const path = `/v1/task/${task.taskId}`;
    for (const at of [
      '/',
      '/v1/task/',
      '/v1/task/../../etc/passwd',
      '/v1/task/sha256-..%2f..%2fetc',
      `${path}/`,
      `${path}?x`,
      `${path}/have/`,
      `${path}%2fhave`,
      path.toUpperCase(),
      `/v1//task/${task.taskId}`,
      `http://x${path}`,
      '*',
    ]) {
      const authorization = authorized(parent);
      const answer = await raw(parent, request(at, { Authorization: authorization, Connection: 'close' }));
      expect([400, 404], at).toContain(bare(answer));
    }
  });

  test('may only GET and HEAD, and send no body', async () => {
    const task = fakeTask(1000);
    await using parent = await startParent([task]);
    const path = `/v1/task/${task.taskId}`;
    const headers = {
      get Authorization() {
        return authorized(parent);
      },
      Connection: 'close',
    };
    for (const method of ['POST', 'PUT', 'DELETE', 'OPTIONS', 'TRACE']) {
      expect(bare(await raw(parent, request(path, headers, method)))).toBe(404);
    }
    const withBody = request(path, { ...headers, 'Content-Length': '3' });
    expect(bare(await raw(parent, `${withBody}abc`))).toBe(400);
    const chunked = request(path, { ...headers, 'Transfer-Encoding': 'chunked' });
    expect(bare(await raw(parent, `${chunked}0\r\n\r\n`))).toBe(400);
    expect(await raw(parent, request(path, { ...headers, Expect: '100-continue' }))).toBe('');
    expect(await raw(parent, request('x:1', headers, 'CONNECT'))).toBe('');
    const head = await raw(parent, request(path, { ...headers, Range: 'bytes=0-9' }, 'HEAD'));
    expect(bare(head)).toBe(206);
    expect(head).toContain('Content-Range: bytes 0-9/1000');
    expect(parent.server.sentBytes).toBe(0);
  });

  test('who sends a request before the last was answered loses the connection', async () => {
    const task = fakeTask(1000);
    const held = deferred();
    task.onRead = () => held.promise;
    await using parent = await startParent([task]);
    const one = request(`/v1/task/${task.taskId}`, { Authorization: authorized(parent), Range: 'bytes=0-9' });
    expect(await raw(parent, one + one)).not.toContain('206');
    held.resolve();
    await expect.poll(() => parent.server.uploading).toBe(0);
  });

  test('gets 416 beyond the end, and the whole without a range', async () => {
    const task = fakeTask(1000);
    await using parent = await startParent([task]);
    const path = `/v1/task/${task.taskId}`;
    const headers = {
      get Authorization() {
        return authorized(parent);
      },
      Connection: 'close',
    };
    expect(bare(await raw(parent, request(path, { ...headers, Range: 'bytes=1000-' })))).toBe(416);
    const whole = await raw(parent, request(path, headers));
    expect(whole).toMatch(/^HTTP\/1\.1 200 /);
    expect(whole.endsWith(task.content.toString('latin1'))).toBe(true);
  });

  test('gets 404 at once for bytes of a piece that is not verified', async () => {
    const task = fakeTask(10 * 64 * KIB);
    task.have = new Bitfield(10);
    task.have.add(2);
    task.have.add(3);
    await using parent = await startParent([task]);
    await using child = newChild();
    const at = (start: number, end: number) =>
      fetchBytes(child, parent.address, task.taskId, { start, end }).then(
        (bytes) => bytes.equals(task.content.subarray(start, end)),
        (error: { code: string }) => error.code,
      );
    const piece = 64 * KIB;
    expect(await at(2 * piece, 4 * piece)).toBe(true);
    expect(await at(3 * piece + 5, 4 * piece)).toBe(true);
    expect(await at(2 * piece - 1, 4 * piece)).toBe('ERR_PEER_MISSING');
    expect(await at(2 * piece, 4 * piece + 1)).toBe('ERR_PEER_MISSING');
    expect(await at(0, 1)).toBe('ERR_PEER_MISSING');
    expect(await at(10 * piece, 11 * piece)).toBe('ERR_PEER_MISSING');
    task.length = undefined;
    expect(await at(2 * piece, 4 * piece)).toBe(true);
    expect(await at(9 * piece, 12 * piece)).toBe('ERR_PEER_MISSING');
  });

  test('over the slots gets 503 at once, with when to come again', async () => {
    const task = fakeTask(1000);
    const held = deferred();
    task.onRead = () => held.promise;
    await using parent = await startParent([task], { slots: 2 });
    await using child = newChild();
    const range = { start: 0, end: 1000 };
    const running = [0, 1].map(() => fetchBytes(child, parent.address, task.taskId, range));
    await expect.poll(() => parent.server.uploading).toBe(2);
    await expect(fetchBytes(child, parent.address, task.taskId, range)).rejects.toMatchObject({
      code: 'ERR_PEER_BUSY',
    });
    const answer = await raw(
      parent,
      request(`/v1/task/${task.taskId}`, { Authorization: authorized(parent), Connection: 'close' }),
    );
    expect(bare(answer)).toBe(503);
    expect(answer).toContain('Retry-After: 1');
    held.resolve();
    await Promise.all(running);
    await expect(fetchBytes(child, parent.address, task.taskId, range)).resolves.toBeDefined();
  });

  test('is cut off rather than sent bytes of a piece that was dropped meanwhile', async () => {
    const task = fakeTask(4 * 1024 * KIB);
    const served = vi.fn();
    task.onRead = (position) => {
      if (position > 0) task.have.delete(40);
    };
    await using parent = await startParent([task], { onServed: served });
    await using child = newChild();
    const got: Uint8Array[] = [];
    const fetched = child.fetch(
      {
        parent: parent.address,
        taskId: task.taskId,
        isPublic: true,
        range: { start: 0, end: 4 * 1024 * KIB },
      },
      (chunk) => void got.push(Uint8Array.from(chunk)),
      signal,
    );
    await expect(fetched).rejects.toMatchObject({ code: 'ERR_PEER_UNAVAILABLE' });
    const bytes = Buffer.concat(got);
    expect(bytes.length).toBeLessThanOrEqual(40 * 64 * KIB);
    expect(bytes.equals(task.content.subarray(0, bytes.length))).toBe(true);
    await expect.poll(() => parent.server.uploading).toBe(0);
    expect(served).toHaveBeenCalledTimes(1);
    expect(task.pins).toBe(0);
  });

  test('is cut off where the disk fails, or ends early', async () => {
    const task = fakeTask(1000);
    await using parent = await startParent([task]);
    await using child = newChild();
    const range = { start: 0, end: 1000 };
    task.onRead = () => {
      throw new Error('EIO');
    };
    const failing = fetchBytes(child, parent.address, task.taskId, range);
    await expect(failing).rejects.toMatchObject({ code: 'ERR_PEER_UNAVAILABLE' });
    task.onRead = () => {};
    task.length = 2000;
    task.have = Bitfield.full(1);
    const short = fetchBytes(child, parent.address, task.taskId, { start: 0, end: 2000 });
    await expect(short).rejects.toMatchObject({ code: 'ERR_PEER_UNAVAILABLE' });
    expect(parent.server.uploading).toBe(0);
    expect(task.pins).toBe(0);
  });

  test('who stops reading loses the connection, and the slot is free again', async () => {
    const task = fakeTask(32 * 1024 * KIB, 1024 * KIB);
    await using parent = await startParent([task], { readerStallMs: 300 });
    const socket = connect({ host: '127.0.0.1', port: parent.server.port });
    const closed = new Promise((resolve) => socket.once('close', resolve));
    socket.on('error', () => {});
    socket.pause();
    socket.write(request(`/v1/task/${task.taskId}`, { Authorization: authorized(parent) }));
    await expect.poll(() => parent.server.sentBytes).toBeGreaterThan(0);
    await expect.poll(() => parent.server.uploading).toBe(0);
    expect(parent.server.sentBytes).toBeLessThan(32 * 1024 * KIB);
    expect(task.pins).toBe(0);
    socket.resume();
    await closed;
  });

  test('who goes away mid-way frees the slot', async () => {
    const task = fakeTask(32 * 1024 * KIB, 1024 * KIB);
    await using parent = await startParent([task]);
    await using child = newChild();
    const stop = new AbortController();
    const fetched = child.fetch(
      {
        parent: parent.address,
        taskId: task.taskId,
        isPublic: true,
        range: { start: 0, end: 32 * 1024 * KIB },
      },
      () => stop.abort(),
      stop.signal,
    );
    await expect(fetched).rejects.toMatchObject({ code: 'ERR_CANCELLED' });
    await expect.poll(() => parent.server.uploading).toBe(0);
    expect(task.pins).toBe(0);
  });
});

test('a failing shelf costs the connection and nothing else', async () => {
  const task = fakeTask(1000);
  let broken = true;
  await using parent = await startParent([], {
    shelf: async () => {
      if (broken) throw new Error('no shelf');
      return task;
    },
  });
  await using child = newChild();
  const get = () => fetchBytes(child, parent.address, task.taskId, { start: 0, end: 1000 });
  await expect(get()).rejects.toMatchObject({ code: 'ERR_PEER_UNAVAILABLE' });
  await expect(
    child.have({ parent: parent.address, taskId: task.taskId, isPublic: true }, signal),
  ).rejects.toMatchObject({
    code: 'ERR_PEER_UNAVAILABLE',
  });
  broken = false;
  expect(await get()).toHaveLength(1000);
});

test('uploads together keep to the limit', async () => {
  const task = fakeTask(600_000);
  const limiter = createLimiter(1_000_000, {
    now: () => performance.now(),
    after: (delayMs, run) => {
      const timer = setTimeout(run, delayMs);
      return () => clearTimeout(timer);
    },
  });
  await using parent = await startParent([task], { limiter });
  await using child = newChild();
  const started = performance.now();
  const range = { start: 0, end: 600_000 };
  await Promise.all([0, 1].map(() => fetchBytes(child, parent.address, task.taskId, range)));
  expect(performance.now() - started).toBeGreaterThan(850);
});

test('a port that is taken is refused with a code', async () => {
  await using parent = await startParent([]);
  await expect(startParent([], { port: parent.server.port })).rejects.toMatchObject({
    code: 'ERR_CONFIG_INVALID',
  });
});

function deferred(): { promise: Promise<void>; resolve: () => void } {
  let resolve = () => {};
  const promise = new Promise<void>((done) => {
    resolve = done;
  });
  return { promise, resolve };
}

test.each([true, false])(
  'where there are too many connections the longest idle one makes room, and a child is served (in clear: %s)',
  async (isPublic) => {
    const task = fakeTask(1000);
    await using parent = await startParent([task], { maxConnections: 4 });
    const idle = Array.from({ length: 12 }, () => connect({ host: '127.0.0.1', port: parent.server.port }));
    const open = new Set(idle);
    for (const socket of idle) socket.on('error', () => {}).on('close', () => open.delete(socket));
    await vi.waitFor(() => expect(open.size).toBe(4));
    await using child = newChild();
    const range = { start: 0, end: 1000 };
    const bytes = await fetchBytes(child, parent.address, task.taskId, range, signal, isPublic);
    expect(bytes.equals(task.content)).toBe(true);
    await vi.waitFor(() => expect(open.size).toBeLessThan(4));
    for (const socket of idle) socket.destroy();
  },
);

test('connections of nobody make room before that of a member, however many come', async () => {
  const task = fakeTask(1000);
  await using parent = await startParent([task], { maxConnections: 4 });
  const to = { host: '127.0.0.1', port: parent.server.port };
  const member = connect(to);
  let got = '';
  member.setEncoding('latin1').on('data', (chunk: string) => {
    got += chunk;
  });
  const path = `/v1/task/${task.taskId}`;
  member.write(request(path, { Authorization: authorized(parent), Range: 'bytes=0-9' }));
  await vi.waitFor(() => expect(got).toContain('206'));
  for (let round = 0; round < 5; round += 1) {
    const strangers = Array.from({ length: 12 }, () => connect(to));
    const open = new Set(strangers);
    for (const socket of strangers) socket.on('error', () => {}).on('close', () => open.delete(socket));
    await vi.waitFor(() => expect(open.size).toBe(3));
    for (const socket of strangers) socket.destroy();
  }
  got = '';
  member.write(request(path, { Range: 'bytes=0-9' }));
  await vi.waitFor(() => expect(got).toContain('206'));
  member.destroy();
});
