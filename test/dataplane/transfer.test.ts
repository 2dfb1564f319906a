import { expect, test, vi } from 'vitest';
import { Bitfield } from '../../core/bitfield.ts';
import { fakeTask, fetchBytes, KIB, newChild, startParent } from './fixture.ts';

const signal = new AbortController().signal;

test('a child reads exactly the range it asked for', async () => {
  const task = fakeTask(1_000_001);
  await using parent = await startParent([task]);
  await using child = newChild();
  for (const range of [
    { start: 0, end: 1 },
    { start: 65_000, end: 700_123 },
    { start: 1_000_000, end: 1_000_001 },
    { start: 0, end: 1_000_001 },
  ]) {
    const bytes = await fetchBytes(child, parent.address, task.taskId, range);
    expect(bytes.equals(task.content.subarray(range.start, range.end))).toBe(true);
  }
  expect(parent.server.sentBytes).toBe(1 + 635_123 + 1 + 1_000_001);
  expect(parent.server.uploading).toBe(0);
  expect(task.pins).toBe(0);
});

test('what a parent holds arrives with its hashes', async () => {
  const task = fakeTask(1_000_001);
  task.have = new Bitfield(16);
  task.have.add(0);
  task.have.add(15);
  await using parent = await startParent([task]);
  await using child = newChild();
  const reply = await child.have({ parent: parent.address, taskId: task.taskId, isPublic: true }, signal);
  expect(reply.length).toBe(1_000_001);
  expect(reply.pieceLength).toBe(64 * KIB);
  expect([...reply.have.ones()]).toEqual([0, 15]);
  expect(reply.hashes.map(({ piece, hash }) => [piece, Buffer.from(hash).toString('hex')])).toEqual(
    [0, 15].map((piece) => [piece, Buffer.from(task.hash(piece) ?? []).toString('hex')]),
  );
});

test('one connection carries many transfers', async () => {
  const task = fakeTask(300_000);
  const admitted = vi.fn();
  await using parent = await startParent([task], {
    admission: {
      byCertificate: () => ({ kind: 'denied', why: 'not asked for' }),
      byProof: () => {
        admitted();
        return { kind: 'admitted', hostId: parent.address.hostId };
      },
    },
  });
  await using child = newChild();
  for (let index = 0; index < 20; index += 1) {
    await fetchBytes(child, parent.address, task.taskId, { start: index, end: 300_000 - index });
  }
  await expect(
    child.have({ parent: parent.address, taskId: task.taskId, isPublic: true }, signal),
  ).resolves.toBeDefined();
  expect(admitted).toHaveBeenCalledTimes(1);
});
