import { type AddressInfo, createServer, type Socket } from 'node:net';
import fc from 'fast-check';
import { describe, expect, test, vi } from 'vitest';
import type { HostAddress } from '../../core/host.ts';
import type { TaskId } from '../../core/ids.ts';
import { startFaultProxy } from '../support/fault-proxy.ts';
import {
  fakeTask,
  fetchBytes,
  KIB,
  membersOf,
  newChild,
  PATIENT,
  randomHostId,
  startParent,
} from './fixture.ts';

const signal = new AbortController().signal;
const taskId = `url-${'0'.repeat(64)}` as TaskId;
const range = { start: 5, end: 15 };
/** For a parent that must be seen to stall, and for nothing that must come: a busy machine stalls too. */
const IMPATIENT = { firstByteMs: 250, idleMs: 250 };
const HEAD = 'HTTP/1.1 206 Partial Content\r\nContent-Length: 10\r\nContent-Range: bytes 5-14/100\r\n\r\n';

/** A parent that answers each request, the n-th of all, as the script says. */
async function scripted(answer: (socket: Socket, request: number) => void) {
  let requests = 0;
  let connections = 0;
  const open = new Set<Socket>();
  const server = createServer((socket) => {
    connections += 1;
    open.add(socket);
    socket.on('error', () => {});
    socket.on('data', () => {
      requests += 1;
      answer(socket, requests);
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const address: HostAddress = {
    hostId: randomHostId(),
    ip: '127.0.0.1',
    port: (server.address() as AddressInfo).port,
  };
  return {
    address,
    get requests() {
      return requests;
    },
    get connections() {
      return connections;
    },
    [Symbol.asyncDispose]: () =>
      new Promise<void>((resolve) => {
        server.close(() => resolve());
        for (const socket of open) socket.destroy();
      }),
  };
}

/** What a child makes of one answer: the bytes, or a code. */
async function outcomeOf(answer: string | Uint8Array, end = true, times = PATIENT): Promise<string> {
  await using parent = await scripted((socket) => {
    socket.write(answer);
    if (end) socket.end();
  });
  await using child = newChild({ times });
  return await fetchBytes(child, parent.address, taskId, range).then(
    (bytes) => bytes.toString('latin1'),
    (error: { code: string }) => error.code,
  );
}

describe('a parent that answers', () => {
  test('what was asked for is believed', async () => {
    expect(await outcomeOf(`${HEAD}0123456789`)).toBe('0123456789');
    expect(await outcomeOf(`${HEAD.replace('/100', '/*')}0123456789`, false)).toBe('0123456789');
  });

  test('other bytes than those asked for is a breach of protocol', async () => {
    for (const [what, by] of [
      ['bytes 5-14', 'bytes 4-13'],
      ['bytes 5-14', 'bytes 5-13'],
      ['bytes 5-14', 'bytes 5-15'],
      ['bytes 5-14/100', 'bytes 5-14/9'],
      ['bytes 5-14/100', 'bytes */100'],
      ['Content-Range', 'Content-Rage'],
      ['Content-Length: 10', 'Content-Length: 9'],
      ['Content-Length: 10', 'Content-Length: 11'],
      ['Content-Length: 10', 'Transfer-Encoding: chunked'],
      ['HTTP/1.1 206', 'HTTP/1.1 200'],
      ['HTTP/1.1 206', 'HTTP/1.1 302'],
      ['HTTP/1.1 206', 'HTTP/1.0 206'],
      ['HTTP/1.1 206', 'ICY 206'],
    ] as const) {
      expect(await outcomeOf(`${HEAD.replace(what, by)}0123456789`), by).toBe('ERR_PEER_PROTOCOL');
    }
  });

  test('more bytes than asked for is a breach of protocol', async () => {
    expect(await outcomeOf(`${HEAD}0123456789X`)).toBe('ERR_PEER_PROTOCOL');
    expect(await outcomeOf(`${HEAD}0123456789${HEAD}`)).toBe('ERR_PEER_PROTOCOL');
  });

  test('fewer bytes and closes is unavailable', async () => {
    expect(await outcomeOf(`${HEAD}012345678`)).toBe('ERR_PEER_UNAVAILABLE');
    expect(await outcomeOf(HEAD)).toBe('ERR_PEER_UNAVAILABLE');
    expect(await outcomeOf(HEAD.slice(0, 20))).toBe('ERR_PEER_UNAVAILABLE');
    expect(await outcomeOf('')).toBe('ERR_PEER_UNAVAILABLE');
  });

  test('nothing, or falls silent, has stalled', async () => {
    const outcome = (answer: string) => outcomeOf(answer, false, { ...PATIENT, ...IMPATIENT });
    expect(await outcome('')).toBe('ERR_PEER_STALLED');
    expect(await outcome(HEAD.slice(0, -1))).toBe('ERR_PEER_STALLED');
    expect(await outcome(`${HEAD}012345678`)).toBe('ERR_PEER_STALLED');
  });

  test('an endless head is refused at its bound', async () => {
    const endless = `HTTP/1.1 206 OK\r\n${Array.from({ length: 500 }, (_, at) => `X-${at}: y\r\n`).join('')}`;
    expect(await outcomeOf(endless, false)).toBe('ERR_PEER_PROTOCOL');
  });

  test('a refusal says why', async () => {
    for (const [status, code] of [
      [401, 'ERR_AUTH_DENIED'],
      [404, 'ERR_PEER_MISSING'],
      [416, 'ERR_PEER_MISSING'],
      [425, 'ERR_AUTH_KEY_UNKNOWN'],
      [503, 'ERR_PEER_BUSY'],
      [500, 'ERR_PEER_UNAVAILABLE'],
      [418, 'ERR_PEER_PROTOCOL'],
    ] as const) {
      expect(await outcomeOf(`HTTP/1.1 ${status} x\r\nContent-Length: 3\r\n\r\nwhy`)).toBe(code);
      expect(await outcomeOf(`HTTP/1.1 ${status} \r\nContent-Length: 5000\r\n\r\n`)).toBe(
        'ERR_PEER_PROTOCOL',
      );
    }
  });

  test('a head with a flipped byte, or garbage, never gives other bytes than those asked for', async () => {
    const answer = Buffer.from(`${HEAD}0123456789`, 'latin1');
    await fc.assert(
      fc.asyncProperty(fc.nat(HEAD.length - 1), fc.integer({ min: 1, max: 255 }), async (at, by) => {
        const broken = Buffer.from(answer);
        broken[at] = (broken[at] ?? 0) ^ by;
        const outcome = await outcomeOf(broken);
        return outcome === '0123456789' || outcome.startsWith('ERR_PEER_') || outcome.startsWith('ERR_AUTH_');
      }),
      { numRuns: 100 },
    );
    await fc.assert(
      fc.asyncProperty(fc.uint8Array({ maxLength: 200 }), async (bytes) =>
        (await outcomeOf(bytes)).startsWith('ERR_PEER_'),
      ),
      { numRuns: 50 },
    );
  });

  test('byte by byte is understood', async () => {
    await using parent = await scripted((socket) => {
      const bytes = [...`${HEAD}0123456789`];
      const next = () => {
        const byte = bytes.shift();
        if (byte !== undefined) socket.write(byte, () => setImmediate(next));
      };
      next();
    });
    await using child = newChild();
    const bytes = await fetchBytes(child, parent.address, taskId, range);
    expect(bytes.toString()).toBe('0123456789');
  });

  test(`a malformed 'have' is a breach of protocol`, async () => {
    await fc.assert(
      fc.asyncProperty(fc.uint8Array({ maxLength: 100 }), async (body) => {
        await using parent = await scripted((socket) => {
          socket.write(`HTTP/1.1 200 OK\r\nContent-Length: ${body.length}\r\n\r\n`);
          socket.write(body);
        });
        await using child = newChild();
        await expect(
          child.have({ parent: parent.address, taskId: taskId, isPublic: true }, signal),
        ).rejects.toMatchObject({
          code: 'ERR_PEER_PROTOCOL',
        });
      }),
      { numRuns: 30 },
    );
    await using parent = await scripted((socket) => {
      socket.write('HTTP/1.1 200 OK\r\nContent-Length: 99999999\r\n\r\n');
    });
    await using child = newChild();
    await expect(
      child.have({ parent: parent.address, taskId: taskId, isPublic: true }, signal),
    ).rejects.toMatchObject({
      code: 'ERR_PEER_PROTOCOL',
    });
  });
});

describe('a kept connection', () => {
  test('that turns out to be closed costs one more try, not the transfer', async () => {
    const task = fakeTask(1000);
    await using parent = await startParent([task]);
    await using proxy = await startFaultProxy({ ip: '127.0.0.1', port: parent.server.port });
    await using child = newChild();
    const address = { ...parent.address, port: proxy.port };
    const get = () => fetchBytes(child, address, task.taskId, { start: 0, end: 1000 });
    await get();
    await get();
    expect(proxy.accepted).toBe(1);
    proxy.cutAll();
    await get();
    expect(proxy.accepted).toBe(2);
  });

  test('that the parent closes on the next request is tried once more only', async () => {
    await using parent = await scripted((socket, request) => {
      if (request === 1) socket.write(`${HEAD}0123456789`);
      else socket.destroy();
    });
    await using child = newChild();
    await fetchBytes(child, parent.address, taskId, range);
    await expect(fetchBytes(child, parent.address, taskId, range)).rejects.toMatchObject({
      code: 'ERR_PEER_UNAVAILABLE',
    });
    expect(parent.requests).toBe(3);
    expect(parent.connections).toBe(2);
  });

  test('on which bytes come unasked is not used again', async () => {
    const sockets: Socket[] = [];
    await using parent = await scripted((socket) => {
      sockets.push(socket);
      socket.write(`${HEAD}0123456789`);
    });
    await using child = newChild();
    await fetchBytes(child, parent.address, taskId, range);
    sockets[0]?.write(HEAD);
    await expect.poll(() => sockets[0]?.destroyed).toBe(true);
    expect((await fetchBytes(child, parent.address, taskId, range)).toString()).toBe('0123456789');
    expect(parent.connections).toBe(2);
  });

  test('is given up where the parent says so', async () => {
    await using parent = await scripted((socket) => {
      socket.write(`${HEAD.replace('\r\n\r\n', '\r\nConnection: close\r\n\r\n')}0123456789`);
    });
    await using child = newChild();
    for (let index = 0; index < 3; index += 1) await fetchBytes(child, parent.address, taskId, range);
    expect(parent.connections).toBe(3);
  });

  test('carries on after a refusal', async () => {
    await using parent = await startParent([]);
    await using proxy = await startFaultProxy({ ip: '127.0.0.1', port: parent.server.port });
    await using child = newChild();
    const address = { ...parent.address, port: proxy.port };
    for (let index = 0; index < 3; index += 1) {
      await expect(fetchBytes(child, address, taskId, range)).rejects.toMatchObject({
        code: 'ERR_PEER_MISSING',
      });
    }
    expect(proxy.accepted).toBe(1);
  });
});

describe('a sink', () => {
  test('that takes its time holds the parent back, and its chunk is not overwritten', async () => {
    const idleMs = 1_000;
    const task = fakeTask(16 * 1024 * KIB, 1024 * KIB);
    await using parent = await startParent([task]);
    await using child = newChild({ times: { ...PATIENT, idleMs } });
    const got: Buffer[] = [];
    let running = 0;
    await child.fetch(
      {
        parent: parent.address,
        taskId: task.taskId,
        isPublic: true,
        range: { start: 0, end: 16 * 1024 * KIB },
      },
      async (chunk) => {
        running += 1;
        expect(running).toBe(1);
        const before = Buffer.from(chunk);
        // Longer than the time without a byte: the parent is not to blame for it.
        await new Promise((resolve) => setTimeout(resolve, got.length === 0 ? 2 * idleMs : 0));
        expect(before.equals(chunk)).toBe(true);
        got.push(before);
        running -= 1;
      },
      signal,
    );
    expect(Buffer.concat(got).equals(task.content)).toBe(true);
  });

  test('that throws, now or later, ends the transfer with its own error', async () => {
    const task = fakeTask(1024 * KIB);
    await using parent = await startParent([task]);
    await using child = newChild();
    const request = {
      parent: parent.address,
      taskId: task.taskId,
      isPublic: true,
      range: { start: 0, end: 1024 * KIB },
    };
    const full = new Error('disk full');
    const now = () => {
      throw full;
    };
    await expect(child.fetch(request, now, signal)).rejects.toBe(full);
    await expect(child.fetch(request, () => Promise.reject(full), signal)).rejects.toBe(full);
    await expect(fetchBytes(child, parent.address, task.taskId, request.range)).resolves.toHaveLength(
      1024 * KIB,
    );
  });

  test('is never called after the transfer was cancelled', async () => {
    const task = fakeTask(1024 * KIB);
    await using parent = await startParent([task]);
    await using child = newChild({ receiveBufferBytes: 16 * KIB });
    const stop = new AbortController();
    const sink = vi.fn(() => stop.abort());
    const request = {
      parent: parent.address,
      taskId: task.taskId,
      isPublic: true,
      range: { start: 0, end: 1024 * KIB },
    };
    await expect(child.fetch(request, sink, stop.signal)).rejects.toMatchObject({ code: 'ERR_CANCELLED' });
    await expect.poll(() => parent.server.uploading).toBe(0);
    expect(sink).toHaveBeenCalledTimes(1);
  });
});

describe('a child', () => {
  test('without a token asks nobody', async () => {
    await using parent = await scripted(() => {});
    await using child = newChild({ credentials: () => undefined });
    await expect(fetchBytes(child, parent.address, taskId, range)).rejects.toMatchObject({
      code: 'ERR_AUTH_DENIED',
    });
    expect(parent.connections).toBe(0);
  });

  test('finds a parent that does not listen unavailable', async () => {
    const parent = await scripted(() => {});
    await parent[Symbol.asyncDispose]();
    await using child = newChild();
    await expect(fetchBytes(child, parent.address, taskId, range)).rejects.toMatchObject({
      code: 'ERR_PEER_UNAVAILABLE',
    });
  });

  test('gives up a parent that does not accept in time', async () => {
    await using child = newChild({ times: { ...PATIENT, connectMs: 100 } });
    const nowhere = { hostId: randomHostId(), ip: '192.0.2.1', port: 9 };
    await expect(fetchBytes(child, nowhere, taskId, range)).rejects.toMatchObject({
      code: 'ERR_PEER_UNAVAILABLE',
    });
  });

  test('may cancel while it connects, waits, or before', async () => {
    await using parent = await scripted(() => {});
    await using child = newChild();
    const cancelled = { code: 'ERR_CANCELLED' };
    await expect(fetchBytes(child, parent.address, taskId, range, AbortSignal.abort())).rejects.toMatchObject(
      cancelled,
    );
    const connecting = new AbortController();
    const first = fetchBytes(child, parent.address, taskId, range, connecting.signal);
    connecting.abort();
    await expect(first).rejects.toMatchObject(cancelled);
    const waiting = new AbortController();
    const second = fetchBytes(child, parent.address, taskId, range, waiting.signal);
    await expect.poll(() => parent.requests).toBe(1);
    waiting.abort();
    await expect(second).rejects.toMatchObject(cancelled);
  });

  test('keeps to its number of connections, and lets transfers wait for one', async () => {
    const task = fakeTask(300_000);
    await using parent = await startParent([task]);
    await using proxy = await startFaultProxy({ ip: '127.0.0.1', port: parent.server.port });
    await using child = newChild({ maxConnectionsPerParent: 2 });
    const address = { ...parent.address, port: proxy.port };
    const all = Array.from({ length: 10 }, (_, index) =>
      fetchBytes(child, address, task.taskId, { start: index, end: 300_000 }),
    );
    for (const [index, bytes] of (await Promise.all(all)).entries()) {
      expect(bytes.equals(task.content.subarray(index))).toBe(true);
    }
    expect(proxy.accepted).toBe(2);
  });

  test('at its bound closes a kept connection to make room for another parent', async () => {
    const task = fakeTask(1000);
    await using one = await startParent([task]);
    await using two = await startParent([task]);
    await using child = newChild({ maxConnections: 1 });
    for (const { address } of [one, two, one]) {
      const bytes = await fetchBytes(child, address, task.taskId, { start: 0, end: 1000 });
      expect(bytes.equals(task.content)).toBe(true);
    }
  });

  test('is told that it is too busy where no connection comes free', async () => {
    await using parent = await scripted(() => {});
    await using child = newChild({ maxConnections: 1, times: { ...PATIENT, firstByteMs: 200 } });
    const stuck = fetchBytes(child, parent.address, taskId, range).catch(
      (error: { code: string }) => error.code,
    );
    const later = fetchBytes(child, parent.address, taskId, range).catch(
      (error: { code: string }) => error.code,
    );
    expect(['ERR_PEER_STALLED', 'ERR_PEER_BUSY']).toContain(await stuck);
    expect(['ERR_PEER_STALLED', 'ERR_PEER_BUSY']).toContain(await later);
  });

  test('that is closed cancels its transfers and starts no more', async () => {
    await using parent = await scripted(() => {});
    const child = newChild({ maxConnections: 1 });
    const running = fetchBytes(child, parent.address, taskId, range).catch(
      (error: { code: string }) => error.code,
    );
    await expect.poll(() => parent.requests).toBe(1);
    const waiting = fetchBytes(child, parent.address, taskId, range).catch(
      (error: { code: string }) => error.code,
    );
    await child.close();
    expect(await running).toBe('ERR_CANCELLED');
    expect(await waiting).toBe('ERR_CANCELLED');
    await expect(fetchBytes(child, parent.address, taskId, range)).rejects.toMatchObject({
      code: 'ERR_CANCELLED',
    });
  });
});

describe('on a bad network', () => {
  const whole = { start: 0, end: 500_000 };

  test('a cut, a stall and a slow line are told apart', async () => {
    const task = fakeTask(500_000);
    await using parent = await startParent([task]);
    for (const [faults, code] of [
      [{ cutAfterBytes: 0 }, 'ERR_PEER_UNAVAILABLE'],
      [{ cutAfterBytes: 100 }, 'ERR_PEER_UNAVAILABLE'],
      [{ cutAfterBytes: 400_000 }, 'ERR_PEER_UNAVAILABLE'],
      [{ stallAfterBytes: 0 }, 'ERR_PEER_STALLED'],
      [{ stallAfterBytes: 400_000 }, 'ERR_PEER_STALLED'],
      [{ delayMs: 100 }, undefined],
      [{ delayMs: 1_000 }, 'ERR_PEER_STALLED'],
    ] as const) {
      await using proxy = await startFaultProxy({ ip: '127.0.0.1', port: parent.server.port }, faults);
      await using child = newChild({ times: code === 'ERR_PEER_STALLED' ? IMPATIENT : PATIENT });
      const address = { ...parent.address, port: proxy.port };
      const outcome = await fetchBytes(child, address, task.taskId, whole).then(
        () => undefined,
        (error: { code: string }) => error.code,
      );
      expect(outcome, JSON.stringify(faults)).toBe(code);
    }
  });

  test('a flipped byte of the body arrives as it is: hashes are the pieces own affair', async () => {
    const task = fakeTask(500_000);
    await using parent = await startParent([task]);
    const faults = { corruptAtByte: 400_000 };
    await using proxy = await startFaultProxy({ ip: '127.0.0.1', port: parent.server.port }, faults);
    await using child = newChild();
    const bytes = await fetchBytes(child, { ...parent.address, port: proxy.port }, task.taskId, whole);
    const differing = bytes.reduce((count, byte, at) => count + (byte === task.content[at] ? 0 : 1), 0);
    expect(differing).toBe(1);
  });
});

test('a child whose clock was an hour ahead proves itself as soon as it is right', async () => {
  const task = fakeTask(64 * KIB);
  await using parent = await startParent([task]);
  let aheadMs = 3_600_000;
  const clock = { wall: () => Date.now() + aheadMs };
  await using child = newChild({ members: { ...membersOf(), clock } });
  const fetch = () => fetchBytes(child, parent.address, task.taskId, range);
  await expect(fetch()).rejects.toMatchObject({ code: 'ERR_AUTH_DENIED' });
  aheadMs = 0;
  expect(await fetch()).toEqual(task.content.subarray(range.start, range.end));
});
