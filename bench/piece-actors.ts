import { createActor, setup } from 'xstate';
import { PieceActor, type PieceGround, type PieceTransfer } from '../actors/host/piece/piece.ts';
import type { HostId } from '../core/ids.ts';
import type { Run } from '../core/run.ts';
import { median } from '../test/support/figures.ts';

/*
 * What the chart of a lease costs by the piece, beside an actor for each single piece: one made when the transfer
 * starts, and one that lives from the lease on. No bytes are moved. As it is built, since tsx names each closure, which
 * costs more than the closure:
 *   npx esbuild bench/piece-actors.ts --bundle --platform=node --format=esm --outfile=/tmp/piece-actors.mjs
 *   node --expose-gc /tmp/piece-actors.mjs
 */

const hash = new Uint8Array(32).fill(1);
const from = { hostId: 'a'.repeat(32) as HostId, ip: '10.0.0.1', port: 1 };
let recorded = 0;
const record = () => {
  recorded += 1;
};

interface Bare {
  readonly piece: number;
  readonly record: () => void;
}
type BareEvent = { type: 'begun' } | { type: 'ended'; hash: Uint8Array } | { type: 'failed' };
const bare = setup({
  types: { input: {} as Bare, context: {} as Bare, events: {} as BareEvent },
  actions: { record: ({ context }) => context.record() },
  guards: { isRight: ({ event }) => event.type === 'ended' && Buffer.compare(event.hash, hash) === 0 },
});

/** From the start of the transfer: requesting, receiving, and a verdict that is a state. */
const transferred = bare.createMachine({
  context: ({ input }) => input,
  initial: 'requesting',
  states: {
    requesting: { on: { begun: 'receiving' } },
    receiving: { on: { ended: 'verifying' } },
    verifying: { always: [{ guard: 'isRight', target: 'stored' }, { target: 'failed' }] },
    stored: { type: 'final', entry: 'record' },
    failed: { type: 'final' },
  },
  on: { failed: '.failed' },
});

/** From the lease on. */
const leased = bare.createMachine({
  context: ({ input }) => input,
  initial: 'queued',
  states: {
    queued: { on: { begun: 'running' } },
    running: {
      on: { ended: [{ guard: 'isRight', target: 'stored', actions: 'record' }, { target: 'failed' }] },
    },
    stored: { type: 'final' },
    failed: { type: 'final' },
  },
  on: { failed: '.failed' },
});

function actorEach(machine: typeof transferred | typeof leased) {
  return (count: number): void => {
    const actors = Array.from({ length: count }, (_, piece) => {
      const actor = createActor(machine, { input: { piece, record } });
      actor.subscribe({ error: () => {} });
      return actor.start();
    });
    for (const actor of actors) actor.send({ type: 'begun' });
    for (const actor of actors) actor.send({ type: 'ended', hash });
  };
}

/** A transfer whose pieces are all there at once. */
class Instant implements PieceTransfer {
  readonly bytes = 0;
  readonly durationMs = 0;
  readonly read = () => Promise.resolve();
  readonly hold = () => Promise.resolve(hash);
  readonly land = () => Promise.resolve();
  readonly commit = record;
}
const transfer = new Instant();
const ground: PieceGround = {
  expected: () => hash,
  transfer: () => transfer,
  onStored: () => {},
  seize: () => Promise.resolve(),
  dropHedges: () => {},
  onEnd: () => {},
};
const run = (count: number): Run => ({ first: 0, count, from, hedge: false });

async function lease(count: number): Promise<void> {
  const actor = new PieceActor(ground, run(count));
  actor.send({ type: 'slot.given' });
  for (let piece = 0; piece < count; piece += 1) actor.came(piece, hash, 1);
  await actor.ended;
}

const WAYS = {
  'an actor a piece, from its transfer': actorEach(transferred),
  'an actor a piece, from its lease': actorEach(leased),
  'an actor a lease': lease,
} as const;

const ROUNDS = 25;
const LEASES = 400;

/** Medians by the way, microseconds of CPU a piece; by turns. */
async function measure(count: number): Promise<number[]> {
  const ways = Object.values(WAYS);
  const samples = ways.map((): number[] => []);
  for (let round = -3; round < ROUNDS; round += 1) {
    for (const [index, live] of ways.entries()) {
      const start = process.cpuUsage();
      for (let at = 0; at < LEASES; at += 1) await live(count);
      const { user, system } = process.cpuUsage(start);
      // The first rounds are of code that is not compiled yet.
      if (round >= 0) samples[index]?.push((user + system) / (LEASES * count));
    }
  }
  return samples.map(median);
}

/** Heap bytes of one that waits. */
function waiting(make: () => unknown): number {
  const COUNT = 5_000;
  globalThis.gc?.();
  const before = process.memoryUsage().heapUsed;
  const kept = Array.from({ length: COUNT }, make);
  globalThis.gc?.();
  return Math.round((process.memoryUsage().heapUsed - before) / kept.length);
}

console.log('µs of CPU a piece, medians, by pieces a lease');
for (const count of [1, 4, 16]) {
  const cells = (await measure(count)).map((us, index) => `${Object.keys(WAYS)[index]} ${us.toFixed(1)}`);
  console.log(`${String(count).padStart(3)}  ${cells.join('   ')}`);
}
if (globalThis.gc) {
  const piece = waiting(() => createActor(leased, { input: { piece: 0, record } }).start());
  const whole = waiting(() => new PieceActor(ground, run(16)));
  console.log(`bytes of one that waits: a piece ${piece}, a lease ${whole}`);
}
if (recorded === 0) throw new Error('nothing was recorded');
