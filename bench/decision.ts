import { randomBytes } from 'node:crypto';
import { parseArgs } from 'node:util';
import { type Random, randomInt } from '../core/clock.ts';
import type { HostId } from '../core/ids.ts';
import { Ledger } from '../scheduling/ledger.ts';
import { OriginReads } from '../scheduling/origin-reads.ts';
import { SlotTable } from '../scheduling/slots.ts';
import { type Figure, figureOf, record } from './record.ts';

/*
 * What one decision of the scheduler costs, in the middle of a download: a lease ends, its child is given the next
 * one.
 *   npm run bench:decision -- [--shares 0.1,0.5] [--pieces 100,1000] [--hosts 10,100] [--record NAME]
 */
const { values } = parseArgs({
  options: {
    shares: { type: 'string', default: '0.1,0.5,0.95' },
    pieces: { type: 'string', default: '100,1000,10000' },
    hosts: { type: 'string', default: '10,100,1000' },
    record: { type: 'string' },
  },
});
const numbers = (list: string): number[] => list.split(',').map(Number);

const random: Random = { next: Math.random, bytes: (count) => randomBytes(count) };
const id = (index: number): HostId => index.toString(16).padStart(32, '0') as HostId;

interface Cost {
  readonly grantUs: number;
  readonly reportUs: number;
  readonly given: number;
}

/** @param share of the pieces that each host holds when it begins. */
function measure(pieces: number, hosts: number, share: number): Cost {
  const slots = new SlotTable();
  const geometry = { length: pieces * 1024, pieceLength: 1024 };
  const reads = new OriginReads().task(() => undefined);
  const ledger = new Ledger({ random, slots, reads, geometry, ranges: true });
  const standing = { running: [], queued: [], seenNumber: 0, nowMs: 0 };
  const swarm = Array.from({ length: hosts }, (_, index) => {
    const joined = ledger.join(id(index), { role: 'normal', mayReadOrigin: true });
    const have: number[] = [];
    for (let piece = 0; piece < pieces; piece += 1) if (random.next() < share) have.push(piece);
    ledger.add(id(index), have);
    return { child: id(index), joined };
  });
  const demand = { nowMs: 0, slots: 1, bytesPerSec: 0, setNumber: 1 };
  for (const { joined } of swarm) joined.sync(standing).grant({ ...demand, slots: 11 });
  let grantMs = 0;
  let reportMs = 0;
  let given = 0;
  let decisions = 0;
  const step = (timed: boolean): void => {
    const host = swarm[randomInt(random, hosts)];
    if (host === undefined) return;
    const { child, joined } = host;
    const lease = ledger.leasesOf(child)[0];
    const startMs = performance.now();
    const synced = joined.sync({ ...standing, added: lease && [lease.first] });
    const grantAtMs = performance.now();
    const before = ledger.leasesOf(child).length;
    const beganMs = performance.now();
    synced.grant({ ...demand, slots: before + 1 });
    const endMs = performance.now();
    // Evicted again, so that the state stays what it was however long this runs.
    const held = lease?.first ?? 0;
    if (random.next() < 0.98) ledger.remove(child, [held]);
    if (!timed) return;
    decisions += 1;
    grantMs += endMs - beganMs;
    reportMs += grantAtMs - startMs;
    given += ledger.leasesOf(child).length > before ? 1 : 0;
  };
  for (let warm = 0; warm < 5_000; warm += 1) step(false);
  for (let round = 0; round < 20_000; round += 1) step(true);
  return {
    grantUs: (1000 * grantMs) / decisions,
    reportUs: (1000 * reportMs) / decisions,
    given: given / decisions,
  };
}

const figures: Figure[] = [];
for (const share of numbers(values.shares)) {
  console.log(
    `each host holds ${share * 100} %: µs a decision (µs a sync taken), share of decisions that gave a lease`,
  );
  for (const pieces of numbers(values.pieces)) {
    const cells = numbers(values.hosts).map((hosts) => {
      const { grantUs, reportUs, given } = measure(pieces, hosts, share);
      const name = `${hosts} hosts, ${pieces} pieces, each holds ${share * 100} %`;
      figures.push(figureOf(name, 'µs', [grantUs]));
      return `${hosts} hosts ${grantUs.toFixed(1)} (${reportUs.toFixed(1)}) ${given.toFixed(2)}`.padEnd(34);
    });
    console.log(`${String(pieces).padStart(7)} pieces  ${cells.join('')}`);
  }
}
record(values.record, {
  title:
    'What one decision of the scheduler costs in the middle of a download: a lease ended, the next one is given',
  conditions: ['the mean of 20,000 decisions each'],
  figures,
});
