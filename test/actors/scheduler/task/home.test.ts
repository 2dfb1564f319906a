import { describe, expect, test } from 'vitest';
import type { TaskId } from '../../../../core/ids.ts';
import { SUBJECTS } from '../../../../transport/subjects.ts';
import { hashes, ONE, PIECE, TASK, TWO } from '../scene.ts';
import { bits, FOUR, taskScene } from './scene.ts';

const [A, B] = ['https://a.test', 'https://b.test'];
const probed = { length: 4 * PIECE, ranges: true, audience: 'public' as const };

describe('content of a digest', () => {
  test('is read where the first host reads it, and told so to all', () => {
    const { host } = taskScene();
    expect(host(1).sync({ home: A })).toMatchObject({ home: A, probe: true });
    expect(host(2).sync({ home: B }).home).toBe(A);
    expect(host(3).sync().home).toBe(A);
  });

  test('is not read where a host would read it that may not', () => {
    const { host } = taskScene();
    expect(host(1).sync({ home: A, mayReadOrigin: false }).home).toBeUndefined();
    expect(host(2).sync({ home: B }).home).toBe(B);
  });

  test('is read where a host says that comes after one that holds some and cannot tell where it is from', () => {
    const { host } = taskScene();
    const some = { ...FOUR, have: bits(8), hashes: hashes([0]), mayReadOrigin: false };
    expect(host(1).sync(some).home).toBeUndefined();
    const told = host(2).sync({ ...FOUR, home: A });
    expect(told.home).toBe(A);
    expect(told.leases).not.toEqual([]);
  });

  test('is leased from the origin to no host that would read it elsewhere', () => {
    const { host } = taskScene();
    host(1).sync({ ...FOUR, home: A, freeSlots: 0 });
    expect(host(2).sync({ ...FOUR, home: B }).leases).toEqual([]);
    expect(host(3).sync({ ...FOUR, home: A }).leases).not.toEqual([]);
  });

  test('is told from no host that read it elsewhere: not its hashes, pieces, length, nor who may have it', () => {
    const { host, task } = taskScene();
    const [a, b] = [host(1), host(2)];
    a.sync({ home: A });
    const word = { ...FOUR, have: bits(15), hashes: hashes([0, 1, 2, 3]), probed };
    const told = b.sync({ home: B, ...word });
    expect(told.length).toBeUndefined();
    expect(a.sync({ home: A }).probe).toBe(true);
    a.sync({ home: A, probed: { ...probed, audience: 'source' } });
    b.sync({ home: B, ...word });
    expect(a.sync({ home: A })).toMatchObject({ audience: 'source', length: 4 * PIECE });
    expect(a.sync({ home: A }).hashes).toBeUndefined();
    expect(task.shown.peers().map(({ have }) => have)).toEqual([0, 0]);
  });

  test('contradicts its digest by no word of a host that read it elsewhere', () => {
    const { host, events } = taskScene();
    const a = host(1);
    a.readAll({ home: A });
    for (let times = 0; times < 5; times += 1) {
      const mismatch = { agreed: [], differed: [] };
      expect(host(2).sync({ home: B, mismatch, have: bits(15), ...FOUR }).claim).toBe(1);
    }
    expect(events).not.toContain('source.banned');
  });

  test('is given, once it is there, to hosts that would read it elsewhere', () => {
    const { host } = taskScene();
    const a = host(1);
    a.readAll({ home: A });
    const [lease] = host(2).sync({ home: B, ...FOUR }).leases;
    expect(lease?.parent).toBe(a.id);
  });

  test('is read at the next place when the claim of this one is dropped, and no more where it is banned', () => {
    const { host, events } = taskScene();
    const registry = (name: string) => ({
      url: `https://${name}.test/v2/x/blobs/${TASK.replace('-', ':')}`,
      credentials: true,
    });
    const a = host(1);
    const of = { home: A, sources: [registry('b'), registry('a')] };
    const contradict = () => {
      a.readAll(of);
      return a.sync({
        ...of,
        ...FOUR,
        have: bits(15),
        mayReadOrigin: false,
        mismatch: { agreed: [], differed: [] },
        seen: a.seen,
      });
    };
    expect(contradict().claim).toBe(2);
    expect(contradict().claim).toBe(3);
    expect(events).toContain('source.banned');
    const next = a.sync({ home: A, sources: [], seen: a.seen });
    expect(next.home).toBeUndefined();
    expect(next.sources).toEqual([registry('b')]);
    expect(host(2).sync({ home: B }).home).toBe(B);
  });

  test('is, after a restart, still read where the log says, and where nobody knows, at the next that is asked', async () => {
    const { host, world, pass } = taskScene();
    host(1).readAll({ home: A, sources: [ONE] });
    const reading = world.bus.readLog(SUBJECTS.logCreated, {});
    await pass(1);
    const [created] = await reading;
    const reborn = taskScene({ unread: true });
    reborn.task.recover(created?.message, []);
    expect(reborn.host(2).sync({ home: B, sources: [TWO] }).home).toBe(A);
    const lost = taskScene();
    expect(lost.host(2).sync({ home: B, sources: [TWO] }).home).toBe(B);
  });
});

test('content of a URL has no such place: its name says where it is', () => {
  const { host } = taskScene({ taskId: `url-${'cd'.repeat(32)}` as TaskId });
  host(1).readAll();
  const { home, leases } = host(2).sync({ ...FOUR, home: B });
  expect([home, leases.length > 0]).toEqual([undefined, true]);
});

test('content that a host has for some alone is theirs alone, though nobody here has asked its origin', () => {
  const { host } = taskScene();
  expect(host(1).sync({ ...FOUR, home: A, audience: 'source', have: bits(8) }).audience).toBe('source');
  expect(host(2).sync({ ...FOUR, home: A, audience: 'public' }).audience).toBe('source');
  const { host: other } = taskScene();
  other(1).sync({ home: A });
  expect(other(2).sync({ ...FOUR, home: B, audience: 'source' }).audience).toBe('public');
});
