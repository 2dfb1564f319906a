import { connect as connectClear, createServer, type Socket } from 'node:net';
import { connect } from 'node:tls';
import { expect, onTestFinished, test } from 'vitest';
import type { HostAddress } from '../../core/host.ts';
import { formatAuthorization } from '../../dataplane/authorization.ts';
import { certificateFor } from '../../dataplane/certificate.ts';
import { mintToken } from '../../dataplane/membership-token.ts';
import { newSigningKey } from '../../dataplane/signing-key.ts';
import {
  admissionOf,
  fakeTask,
  fetchBytes,
  KIB,
  newChild,
  newMember,
  randomHostId,
  SWARM,
  scheduler,
  startParent,
} from './fixture.ts';

const signal = new AbortController().signal;

function secretTask(bytes = 3 * 1024 * KIB + 5) {
  const task = fakeTask(bytes);
  return Object.assign(task, { audience: 'source' as const });
}

/** A wire in the middle that keeps what passes, and stands in for the parent. */
async function tap(parent: HostAddress): Promise<{ readonly address: HostAddress; seen(): Buffer }> {
  const chunks: Buffer[] = [];
  const sockets = new Set<Socket>();
  const server = createServer((child) => {
    const up = connectClear(parent.port, parent.ip);
    for (const socket of [child, up]) {
      sockets.add(socket);
      socket.on('data', (chunk: Buffer) => chunks.push(chunk));
      socket.on('error', () => {});
    }
    child.pipe(up).pipe(child);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  onTestFinished(() => {
    for (const socket of sockets) socket.destroy();
    server.close();
  });
  const { port } = server.address() as { port: number };
  return { address: { ...parent, port }, seen: () => Buffer.concat(chunks) };
}

test('private content is right, and none of it is seen on the wire', async () => {
  const task = secretTask();
  await using parent = await startParent([task]);
  await using child = newChild();
  const wire = await tap(parent.address);
  const range = { start: 0, end: task.content.length };
  const bytes = await fetchBytes(child, wire.address, task.taskId, range, signal, false);
  expect(bytes.equals(task.content)).toBe(true);
  expect(wire.seen().length).toBeGreaterThan(task.content.length);
  for (let at = 0; at + 16 <= task.content.length; at += 64 * KIB) {
    expect(wire.seen().includes(task.content.subarray(at, at + 16))).toBe(false);
  }
});

test('public content crosses in clear, as before', async () => {
  const task = fakeTask(300_000);
  await using parent = await startParent([task]);
  await using child = newChild();
  const wire = await tap(parent.address);
  await fetchBytes(child, wire.address, task.taskId, { start: 0, end: 300_000 });
  expect(wire.seen().includes(task.content.subarray(1000, 1016))).toBe(true);
});

test('a child that does not know that content is private is told, and none of it crosses in clear', async () => {
  const task = secretTask(300_000);
  await using parent = await startParent([task]);
  await using child = newChild();
  const wire = await tap(parent.address);
  const bytes = await fetchBytes(child, wire.address, task.taskId, { start: 0, end: 300_000 }, signal, true);
  expect(bytes.equals(task.content)).toBe(true);
  expect(wire.seen().includes(task.content.subarray(1000, 1016))).toBe(false);
  const have = await child.have({ parent: parent.address, taskId: task.taskId, isPublic: true }, signal);
  expect(have.have.complete).toBe(true);
});

test('with all encrypted, public content is too; with none, a parent may still insist', async () => {
  const open = fakeTask(100_000);
  const secret = secretTask(100_000);
  const range = { start: 0, end: 100_000 };
  await using parent = await startParent([open, secret], { tls: 'all' });
  await using child = newChild({ tls: 'off' });
  expect((await fetchBytes(child, parent.address, open.taskId, range)).equals(open.content)).toBe(true);
  await using lax = await startParent([secret], { tls: 'off' });
  const wire = await tap(lax.address);
  await fetchBytes(child, wire.address, secret.taskId, range, signal, false);
  expect(wire.seen().includes(secret.content.subarray(1000, 1016))).toBe(true);
});

test('a slow sink holds an encrypted parent back, and loses nothing', async () => {
  const task = secretTask(4 * 1024 * KIB);
  await using parent = await startParent([task]);
  await using child = newChild({ receiveBufferBytes: 32 * KIB });
  const got: Buffer[] = [];
  const request = { parent: parent.address, taskId: task.taskId, isPublic: false };
  await child.fetch(
    { ...request, range: { start: 0, end: task.content.length } },
    async (chunk) => {
      await new Promise((resolve) => setImmediate(resolve));
      got.push(Buffer.from(chunk));
    },
    signal,
  );
  expect(Buffer.concat(got).equals(task.content)).toBe(true);
});

test('a host that shows another host’s token, or none, gets nothing and is given nothing', async () => {
  const task = secretTask(100_000);
  const honest = newMember();
  const thief = newSigningKey();
  await using parent = await startParent([task]);
  const range = { start: 0, end: 100_000 };
  await using child = newChild({ credentials: () => ({ token: honest.token, identity: thief }) });
  await expect(fetchBytes(child, parent.address, task.taskId, range, signal, false)).rejects.toMatchObject({
    code: 'ERR_AUTH_DENIED',
  });
  await using liar = await startParent([task], {
    credentials: () => ({ token: honest.token, identity: thief }),
  });
  await using asker = newChild();
  const address = { ...liar.address, hostId: honest.hostId };
  await expect(fetchBytes(asker, address, task.taskId, range, signal, false)).rejects.toMatchObject({
    code: 'ERR_AUTH_DENIED',
  });
});

test('a member in the place of another host is not taken for it', async () => {
  const task = secretTask(100_000);
  await using parent = await startParent([task]);
  await using child = newChild();
  const address = { ...parent.address, hostId: randomHostId() };
  const range = { start: 0, end: 100_000 };
  await expect(fetchBytes(child, address, task.taskId, range, signal, false)).rejects.toMatchObject({
    code: 'ERR_AUTH_DENIED',
  });
});

test.each([
  ['of another swarm', { swarm: 'another' }],
  ['that expired', { expMs: Date.now() - 3 * 3_600_000 }],
])('a token %s opens nothing', async (_, change) => {
  const task = secretTask(10_000);
  await using parent = await startParent([task]);
  const member = newMember(change);
  await using child = newChild({ credentials: () => member });
  const range = { start: 0, end: 10_000 };
  await expect(fetchBytes(child, parent.address, task.taskId, range, signal, false)).rejects.toMatchObject({
    code: 'ERR_AUTH_DENIED',
  });
});

test('the certificate follows the token', async () => {
  const task = secretTask(10_000);
  const hostId = randomHostId();
  const identity = newSigningKey();
  const tokenUntil = (expMs: number) =>
    mintToken(scheduler, { hostId, publicKey: identity.publicKey, swarm: SWARM, expMs });
  let token = tokenUntil(Date.now() - 3 * 3_600_000);
  await using parent = await startParent([task], { hostId, credentials: () => ({ token, identity }) });
  await using child = newChild();
  const range = { start: 0, end: 10_000 };
  const get = () => fetchBytes(child, parent.address, task.taskId, range, signal, false);
  await expect(get()).rejects.toMatchObject({ code: 'ERR_AUTH_DENIED' });
  token = tokenUntil(Date.now() + 3_600_000);
  expect((await get()).equals(task.content)).toBe(true);
});

test('older TLS, no certificate and a broken handshake cost the one who tries', async () => {
  const task = secretTask(10_000);
  await using parent = await startParent([task]);
  const { ip: host, port } = parent.address;
  const ends = (options: object) =>
    new Promise<string>((resolve) => {
      const socket = connect({ host, port, rejectUnauthorized: false, ...options }, () => {
        socket.write(`GET /v1/task/${task.taskId} HTTP/1.1\r\nHost: x\r\nRange: bytes=0-9\r\n\r\n`);
      });
      socket.on('data', (chunk: Buffer) => resolve(chunk.toString('latin1').split('\r\n')[0] ?? ''));
      socket.on('error', () => resolve('error'));
      socket.on('close', () => resolve('closed'));
    });
  const own = certificateFor(newMember().identity, newMember().token);
  expect(await ends({ ...own, maxVersion: 'TLSv1.2' })).toBe('error');
  expect(await ends({})).toBe('HTTP/1.1 401 Unauthorized');
  expect(await ends(own)).toBe('HTTP/1.1 401 Unauthorized');
  const raw = connectClear(port, host);
  raw.end(Buffer.from([0x16, 3, 1, 0, 5, 1, 2, 3, 4, 5]));
  await new Promise((resolve) => raw.once('close', resolve).resume());
  await using child = newChild();
  const range = { start: 0, end: 10_000 };
  expect((await fetchBytes(child, parent.address, task.taskId, range, signal, false)).length).toBe(10_000);
});

test('a captured request of the clear plane admits nobody a second time', () => {
  const parent = randomHostId();
  const admit = admissionOf(parent);
  const member = newMember();
  const header = formatAuthorization(member.identity, member.token, parent, Date.now());
  expect(admit.byProof(header).kind).toBe('admitted');
  expect(admit.byProof(header)).toEqual({ kind: 'denied', why: 'proof seen before' });
  const next = formatAuthorization(member.identity, member.token, parent, Date.now() + 1);
  expect(admit.byProof(next).kind).toBe('admitted');
});

test('a member that proves itself without end is refused, and nobody else is', () => {
  const parent = randomHostId();
  const admit = admissionOf(parent);
  const [flooder, other] = [newMember(), newMember()];
  const now = Date.now();
  const at = (member: typeof flooder, ms: number) =>
    admit.byProof(formatAuthorization(member.identity, member.token, parent, now + ms)).kind;
  for (let ms = 0; ms < 1_024; ms += 1) expect(at(flooder, ms)).toBe('admitted');
  expect(at(flooder, 2_000)).toBe('denied');
  expect(at(other, 0)).toBe('admitted');
});

test('a child opens many connections in one moment, each with a proof of its own', async () => {
  const task = fakeTask(2_000_000);
  await using parent = await startParent([task], { slots: 16 });
  await using child = newChild();
  const ranges = Array.from({ length: 12 }, (_, at) => ({ start: at, end: 2_000_000 - at }));
  const got = await Promise.all(ranges.map((range) => fetchBytes(child, parent.address, task.taskId, range)));
  expect(got.map(({ length }) => length)).toEqual(ranges.map(({ start, end }) => end - start));
});
