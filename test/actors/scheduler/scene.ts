import { createHash } from 'node:crypto';
import { TaskHoldings } from '../../../actors/scheduler/holdings.ts';
import { HostTable } from '../../../actors/scheduler/host-table.ts';
import type { SchedulerWorld } from '../../../actors/scheduler/world.ts';
import { packHashes } from '../../../core/hash-page.ts';
import type { HostRole } from '../../../core/host.ts';
import type { Alive } from '../../../core/host-messages.ts';
import { schedulerIdFrom, type TaskId } from '../../../core/ids.ts';
import { LIMITS } from '../../../core/limits.ts';
import { silentLogger } from '../../../core/logger.ts';
import { silentSchedulerMetrics } from '../../../core/metrics.ts';
import type { SyncRequest } from '../../../core/sync-messages.ts';
import { OriginReads } from '../../../scheduling/origin-reads.ts';
import { SlotTable } from '../../../scheduling/slots.ts';
import { SimClock } from '../../../sim/clock.ts';
import { createMemoryHub } from '../../../transport/memory-bus.ts';
import { seeded } from '../../scheduling/world.ts';

export const PIECE = 128 * 1024;
export const TASK = `sha256-${'ab'.repeat(32)}` as TaskId;
export const [ONE, TWO] = ['one', 'two'].map((name) => ({
  url: `http://${name}.example/a`,
  credentials: false,
})) as [{ url: string; credentials: boolean }, { url: string; credentials: boolean }];

/** Hashes of these pieces, as all hosts that tell the truth read them. */
export function hashes(pieces: readonly number[]): Uint8Array {
  return packHashes(
    pieces.map((piece) => ({ piece, hash: createHash('sha256').update(String(piece)).digest() })),
  );
}

/** All that an actor of a scheduler is given, on a clock that the test moves. */
export function schedulerScene(more: Partial<Pick<SchedulerWorld, 'originReaders' | 'recoveredAtMs'>> = {}) {
  const clock = new SimClock();
  const random = seeded(1);
  /** How long what the scheduler asks of NATS itself takes on its bus, each way. */
  const nats = { ms: 0 };
  const latencyMs = (from: string, to: string) => (from === 'scheduler' && to === 'nats' ? nats.ms : 0);
  const hub = createMemoryHub({ clock, random, latencyMs });
  /** Types of the events emitted, in order. */
  const events: string[] = [];
  const world: SchedulerWorld = {
    clock,
    random,
    bus: hub.bus('scheduler'),
    emit: (type) => void events.push(type),
    log: silentLogger,
    schedulerId: schedulerIdFrom(new Uint8Array(8)),
    originReaders: 'all',
    keyId: 'key',
    name: 'here',
    version: 'test',
    epoch: 1,
    mayGrant: () => true,
    intervalMs: () => LIMITS.syncMinIntervalMs,
    metrics: silentSchedulerMetrics,
    hosts: new HostTable(),
    slots: new SlotTable(),
    reads: new OriginReads(),
    holdings: new TaskHoldings(),
    recoveredAtMs: 0,
    mintToken: () => 'token',
    schedulerKeys: () => [],
    ...more,
  };
  /** Moves time on. */
  const pass = (ms: number) => clock.run(clock.now() + ms);
  return { world, hub, nats, events, pass };
}

/** What a host says of itself. */
export function alive(role: HostRole): Alive {
  return {
    incarnation: 1,
    ip: '10.9.0.1',
    port: 4000,
    role,
    version: 'test',
    uploading: 0,
    downloading: 0,
    slotsUp: 12,
    slotsDown: 20,
    cachedBytes: 0,
    cachedTasks: 0,
  };
}

/** A sync that says nothing but that pieces are wanted. */
export function syncOf(seq: number, more: Partial<SyncRequest>): SyncRequest {
  return {
    incarnation: 1,
    seq,
    base: 0,
    added: [],
    running: [],
    queued: [],
    freeSlots: 4,
    transferBytesPerSec: 0,
    wants: true,
    sources: [ONE],
    mayReadOrigin: true,
    failures: [],
    adrift: false,
    hashCursor: 0,
    seen: { epoch: 1, number: 0 },
    received: { origin: 0, peers: 0, local: 0 },
    ...more,
  };
}
