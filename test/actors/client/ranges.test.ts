import fc from 'fast-check';
import { expect, test } from 'vitest';
import { actualRange } from '../../../actors/client/reader.ts';
import type { SimHost } from '../../../sim/host.ts';
import { createSimulation, type Simulation } from '../../../sim/world.ts';
import { digestOf, MIB, URL_A } from '../../sim/scene.ts';
import { type Reading, read } from './reading.ts';

const PIECE = 128 * 1024;

async function swarm(hosts: number, more: { linkBytesPerSec?: number } = {}): Promise<Simulation> {
  const sim = createSimulation({ seed: 31, hosts, linkBytesPerSec: 4 * MIB, ...more });
  sim.start();
  await sim.run(2_500);
  return sim;
}

const host = (sim: Simulation, index: number) => sim.hosts[index] as SimHost;

test('any range of any length is cut to the content, or refused with the length', () => {
  fc.assert(
    fc.property(
      fc.nat(1_000),
      fc.oneof(fc.nat(1_200), fc.constantFrom(-1, 0.5, Number.NaN, Number.POSITIVE_INFINITY)),
      fc.oneof(fc.nat(1_200), fc.constantFrom(-1, Number.NaN, Number.POSITIVE_INFINITY, 2 ** 60)),
      (length, start, end) => {
        const isThere = Number.isInteger(start) && start >= 0 && start < length && end > start;
        const ask = () => actualRange({ start, end }, length);
        if (isThere) expect(ask()).toEqual({ start, end: Math.min(end, length) });
        else
          expect(ask).toThrowError(expect.objectContaining({ code: 'ERR_TASK_RANGE', details: { length } }));
      },
    ),
  );
});

test('a range of cached content is given exactly, cut at the end', async () => {
  const sim = await swarm(1);
  const content = sim.publish(URL_A, MIB + 77);
  const request = { resource: URL_A, digest: digestOf(content) };
  await read(sim, host(sim, 0), request).end();
  for (const [start, end] of [
    [0, 1],
    [PIECE - 1, PIECE + 1],
    [MIB, 9 * MIB],
    [5, 700_000],
    [MIB + 76, MIB + 77],
  ] as const) {
    const reading = await read(sim, host(sim, 0), { ...request, range: { start, end } }).end();
    expect(reading.bytes().equals(content.bytes.slice(start, end))).toBe(true);
    const range = { start, end: Math.min(end, content.bytes.length) };
    expect(reading.starts).toMatchObject([{ range, length: content.bytes.length, from: 'cache' }]);
    expect(reading.results).toHaveLength(1);
  }
});

test.each(['cached', 'cold'])(
  'a range beyond the end of %s content is refused before the start',
  async (how) => {
    const sim = await swarm(1);
    const content = sim.publish(URL_A, MIB);
    const request = { resource: URL_A, digest: digestOf(content) };
    if (how === 'cached') await read(sim, host(sim, 0), request).end();
    const reading = await read(sim, host(sim, 0), { ...request, range: { start: MIB, end: MIB + 1 } }).end();
    expect(reading.error).toMatchObject({ code: 'ERR_TASK_RANGE', details: { length: MIB } });
    expect(reading.starts).toEqual([]);
    expect(reading.chunks).toEqual([]);
  },
);

test('a range that needs the length is asked for once that is known', async () => {
  const sim = await swarm(1);
  const content = sim.publish(URL_A, MIB + 3);
  const range = 'bytes=-10';
  const reading = await read(sim, host(sim, 0), { resource: URL_A, digest: digestOf(content), range }).end();
  expect(reading.bytes().equals(content.bytes.slice(-10))).toBe(true);
  expect(reading.starts).toMatchObject([{ range: { start: MIB - 7, end: MIB + 3 }, from: 'swarm' }]);
});

test.each([1, 3])(
  'the first byte of a late range does not wait for earlier pieces, with %i hosts',
  async (hosts) => {
    const sim = await swarm(hosts, { linkBytesPerSec: MIB });
    const content = sim.publish(URL_A, 24 * MIB);
    const startedMs = sim.clock.now();
    const start = 20 * MIB + 5;
    const reading = await read(sim, host(sim, 0), {
      resource: URL_A,
      digest: digestOf(content),
      range: { start, end: start + 1000 },
    }).end();
    expect(reading.bytes().equals(content.bytes.slice(start, start + 1000))).toBe(true);
    // All that lies before takes twenty seconds; the origin's first MiB, one.
    expect((reading.firstMs ?? Number.NaN) - startedMs).toBeLessThan(6_000);
  },
);

test('a lone range reader without a scheduler does not wait for earlier pieces either', async () => {
  const sim = await swarm(1, { linkBytesPerSec: MIB });
  const content = sim.publish(URL_A, 24 * MIB);
  sim.cutNats(true);
  const startedMs = sim.clock.now();
  const start = 20 * MIB + 5;
  const request = { resource: URL_A, digest: digestOf(content), range: { start, end: start + 1000 } };
  const reading = await read(sim, host(sim, 0), request).end();
  expect(reading.bytes().equals(content.bytes.slice(start, start + 1000))).toBe(true);
  expect((reading.firstMs ?? Number.NaN) - startedMs).toBeLessThan(6_000);
});

test('many ranges at once of one cold task are each right, and little is read twice', async () => {
  const sim = await swarm(3);
  const content = sim.publish(URL_A, 3 * MIB + 9);
  const request = { resource: URL_A, digest: digestOf(content) };
  const cuts = Array.from({ length: 12 }, (_, index) => Math.floor((index * content.bytes.length) / 12));
  const readings = cuts.map((start, index) => {
    const range = { start, end: cuts[index + 1] ?? content.bytes.length };
    return read(sim, host(sim, index % 3), { ...request, range });
  });
  for (const reading of readings) await reading.end();
  expect(Buffer.concat(readings.map((reading) => reading.bytes())).equals(content.bytes)).toBe(true);
  expect(sim.origin.bodyBytes / content.bytes.length).toBeLessThanOrEqual(1.2);
});

test('a reader that goes away ends nothing for the others of its task', async () => {
  const sim = await swarm(1);
  const content = sim.publish(URL_A, 2 * MIB);
  const request = { resource: URL_A, digest: digestOf(content) };
  const leaver = read(sim, host(sim, 0), request, (reading) => reading.abort.abort());
  const stayer = read(sim, host(sim, 0), request);
  await stayer.end();
  expect(leaver.bytes().length).toBeLessThan(content.bytes.length);
  expect(leaver.results).toEqual([]);
  expect(stayer.bytes().equals(content.bytes)).toBe(true);
});

test('with its last reader a download is given up, and goes on from there for the next', async () => {
  const sim = await swarm(1, { linkBytesPerSec: MIB });
  const content = sim.publish(URL_A, 6 * MIB);
  const request = { resource: URL_A, digest: digestOf(content) };
  await read(sim, host(sim, 0), request, (reading) => reading.abort.abort()).end();
  await sim.run(3_000);
  const bytes = sim.origin.bodyBytes;
  expect(bytes).toBeLessThan(4 * MIB);
  await sim.run(10_000);
  expect(sim.origin.bodyBytes).toBe(bytes);
  const next = await read(sim, host(sim, 0), request).end();
  expect(next.bytes().equals(content.bytes)).toBe(true);
  expect(next.results[0]?.bytes.local).toBeGreaterThan(0);
});

test.each([
  ['in ranges that end', 2_000, (start: number) => ({ start, end: start + MIB })],
  ['of all the rest each time', 8_000, (start: number) => ({ start, end: Number.POSITIVE_INFINITY })],
])(
  'of who reads one MiB after the other, %s, and rests %i ms in between, nothing is read twice; at last it is given up',
  async (_, restMs, rangeOf) => {
    const sim = await swarm(1, { linkBytesPerSec: MIB });
    const content = sim.publish(URL_A, 80 * MIB);
    const request = { resource: URL_A, digest: digestOf(content) };
    for (let start = 0; start < 5 * MIB; start += MIB) {
      const leave = (reading: Reading) => reading.bytes().length >= MIB && reading.abort.abort();
      const reading = await read(sim, host(sim, 0), { ...request, range: rangeOf(start) }, leave).end();
      const part = reading.bytes().subarray(0, MIB);
      expect(part.equals(content.bytes.slice(start, start + MIB))).toBe(true);
      await sim.run(restMs);
    }
    await sim.run(12_000);
    const bytes = sim.origin.bodyBytes;
    expect(bytes).toBeLessThan(content.bytes.length);
    await sim.run(10_000);
    expect(sim.origin.bodyBytes).toBe(bytes);
    const whole = await read(sim, host(sim, 0), request).end();
    expect(whole.bytes().equals(content.bytes)).toBe(true);
    // Being given up costs what was in flight, once.
    expect(sim.origin.bodyBytes / content.bytes.length).toBeLessThanOrEqual(1.02);
  },
);

test('the last bytes of a whole are held back until the whole has proven right', async () => {
  const sim = await swarm(1);
  const content = sim.publish(URL_A, MIB);
  const other = sim.publish('http://origin.test/b', MIB);
  const reading = await read(sim, host(sim, 0), {
    resource: 'http://origin.test/b',
    digest: digestOf(content),
  }).end();
  expect(reading.error).toMatchObject({ code: 'ERR_DIGEST_MISMATCH' });
  expect(reading.bytes().length).toBeLessThan(other.bytes.length);
  expect(reading.results).toEqual([]);
});

test('a stream whose length nobody tells starts without one, and ends with its content', async () => {
  const sim = await swarm(1);
  const content = sim.publish(URL_A, 9 * MIB + 5, { sized: false, ranges: false, mediaType: 'text/plain' });
  const reading = await read(sim, host(sim, 0), { resource: URL_A }).end();
  expect(reading.bytes().equals(content.bytes)).toBe(true);
  const range = { start: 0, end: undefined };
  expect(reading.starts).toMatchObject([{ length: undefined, range, mediaType: 'text/plain' }]);
  expect(reading.results).toMatchObject([{ length: content.bytes.length }]);
});

test('empty content starts, ends, and has no range', async () => {
  const sim = await swarm(1);
  const content = sim.publish(URL_A, 0, { bytes: new Uint8Array() });
  const request = { resource: URL_A, digest: digestOf(content) };
  const reading = await read(sim, host(sim, 0), request).end();
  expect(reading.starts).toMatchObject([{ length: 0, range: { start: 0, end: 0 } }]);
  expect(reading.results).toHaveLength(1);
  const ranged = await read(sim, host(sim, 0), { ...request, range: { start: 0, end: 1 } }).end();
  expect(ranged.error?.code).toBe('ERR_TASK_RANGE');
});
