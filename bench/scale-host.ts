import { randomBytes } from 'node:crypto';
import { type Actor, createActor } from 'xstate';
import { xstateClock } from '../actors/xstate-clock.ts';
import { realClock, realRandom } from '../app/real-world.ts';
import { backoffMs } from '../core/backoff.ts';
import type { Alive, AnnounceReply, Census, Holds } from '../core/host-messages.ts';
import {
  type HostId,
  hostIdFrom,
  PARTITIONS,
  partitionOf,
  type SchedulerId,
  type TaskId,
} from '../core/ids.ts';
import { LIMITS } from '../core/limits.ts';
import { type HostEffects, type HostRhythm, hostMachine, hostState } from '../machines/host/host.ts';
import { SUBJECTS } from '../transport/subjects.ts';
import type { SharedBus } from './scale-bus.ts';

/** What the light hosts of a process have in common. */
export interface Lab {
  readonly bus: SharedBus;
  /** Tasks that each host holds whole, and how long each is. */
  readonly held: (index: number) => readonly TaskId[];
  readonly heldBytes: number;
  readonly pieceLength: number;
}

const BOOK_GROWS_MS = 2_000;
const JITTER_MS = 200;
const RETRY_MS = 500;
const RETRY_MOST_MS = 5_000;
const PUBLIC_KEY = new Uint8Array(32).fill(7);

/** A host that is its membership alone: the chart that ships, and what it says, over a shared connection. */
export class LightHost implements HostEffects {
  readonly index: number;
  readonly hostId: HostId = hostIdFrom(randomBytes(16));
  readonly incarnation = randomBytes(6).readUIntBE(0, 6);
  readonly ip: string;
  /** Announcements that were not answered. */
  unanswered = 0;
  announcedMs = 0;
  downloading = 0;
  readonly #lab: Lab;
  readonly #actor: Actor<typeof hostMachine>;
  #untold = new Map<number, SchedulerId | undefined>();
  /** In a row. */
  #lost = 0;
  #censusWithinMs = JITTER_MS;

  constructor(lab: Lab, index: number) {
    this.#lab = lab;
    this.index = index;
    this.ip = `10.${index >> 16}.${(index >> 8) & 255}.${index & 255}`;
    this.#actor = createActor(hostMachine, { input: this, clock: xstateClock(realClock) });
  }

  start(): void {
    this.#actor.start();
    this.#actor.send({ type: 'bus.connected' });
  }

  stop(): void {
    this.#actor.stop();
  }

  connected(is: boolean): void {
    this.#actor.send({ type: is ? 'bus.connected' : 'bus.disconnected' });
  }

  get isAnnounced(): boolean {
    return hostState(this.#actor.getSnapshot()) === 'announced';
  }

  census({ partitions, schedulerId }: Census): void {
    for (const partition of partitions) this.#untold.set(partition, schedulerId);
    this.#actor.send({ type: 'census.received' });
  }

  // --- effects of the chart ---

  async announce(): Promise<HostRhythm> {
    const { hostId } = this;
    const patienceMs = Math.min(LIMITS.syncTimeoutMostMs, LIMITS.syncTimeoutMs * 2 ** this.#lost);
    const message = { ...this.#alive(), publicKey: PUBLIC_KEY, patienceMs };
    const asked = this.#lab.bus.request(hostId, SUBJECTS.announce, { hostId }, message, patienceMs);
    const reply = (await asked) as AnnounceReply;
    this.#lost = 0;
    this.#censusWithinMs = Math.max(JITTER_MS, reply.censusWithinMs ?? 0);
    this.announcedMs = performance.now();
    const isFull = reply.addressBook.length >= LIMITS.addressBookHosts;
    const halfLifeMs = (reply.tokenExpiresAtMs - Date.now()) / 2;
    return {
      announceMs: Math.max(1_000, Math.min(halfLifeMs, isFull ? 30_000 : BOOK_GROWS_MS)),
      aliveMs: Math.max(LIMITS.aliveMs, reply.aliveEveryMs),
    };
  }

  #alive(): Alive {
    return {
      incarnation: this.incarnation,
      ip: this.ip,
      port: 7400,
      role: 'normal',
      version: 'light',
      uploading: 0,
      downloading: this.downloading,
      slotsUp: LIMITS.slotsUp,
      slotsDown: LIMITS.slotsDown,
      cachedBytes: 0,
      cachedTasks: this.#lab.held(this.index).length,
    };
  }

  tellUnanswered(): void {
    this.unanswered += 1;
    this.#lost += 1;
  }

  tellJoined(): void {
    for (let partition = 0; partition < PARTITIONS; partition += 1) this.#untold.set(partition, undefined);
    this.beat();
  }

  beat(): void {
    const { hostId } = this;
    this.#lab.bus.publish(SUBJECTS.alive, { hostId }, this.#alive());
  }

  jitterMs(): number {
    return Math.random() * this.#censusWithinMs;
  }

  retryMs(): number {
    return backoffMs(realRandom, this.#lost, RETRY_MS, RETRY_MOST_MS);
  }

  sendHoldings(): void {
    const { bus, held, heldBytes, pieceLength } = this.#lab;
    const untold = this.#untold;
    this.#untold = new Map();
    this.beat();
    const byAddress = new Map<string, Holds['tasks']>();
    for (const to of untold.values()) if (to !== undefined) byAddress.set(to, []);
    for (const taskId of held(this.index)) {
      const partition = partitionOf(taskId);
      if (!untold.has(partition)) continue;
      const row = { taskId, audience: 'public' as const, length: heldBytes, pieceLength };
      const to = untold.get(partition) ?? String(partition);
      const rows = byAddress.get(to);
      if (rows === undefined) byAddress.set(to, [row]);
      else rows.push(row);
    }
    const { hostId, incarnation } = this;
    for (const [to, tasks] of byAddress) {
      const message = { incarnation, page: 0, pages: 1, tasks, gone: [] };
      bus.publish(SUBJECTS.holds, { hostId, to }, message);
    }
  }

  noteIsolation(): void {}
  noteReturn(): void {}
  drain(): void {}
}
