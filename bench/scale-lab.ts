import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { monitorEventLoopDelay } from 'node:perf_hooks';
import { setTimeout as delay } from 'node:timers/promises';
import type { Census } from '../core/host-messages.ts';
import type { TaskId } from '../core/ids.ts';
import type { LeaseSet } from '../core/sync-messages.ts';
import { type Child, SHOAL, startChild, until, usageOf } from '../test/support/child.ts';
import { freePort } from '../test/support/free-port.ts';
import { startNats, type TestNats } from '../test/support/nats-server.ts';
import { SharedBus } from './scale-bus.ts';
import { LightHost } from './scale-host.ts';

/** Hosts announce themselves within so many ms for each of them at first, as the daemons of a data centre do that start one after the other. */
const START_PER_HOST_MS = 1;

/** CPU seconds of the processes that are measured, and of the light hosts themselves. */
export interface Usage {
  readonly scheduler: number;
  readonly nats: number;
  readonly hosts: number;
  readonly schedulerBytes: number;
}

/** What a swarm of light hosts holds. */
export interface Held {
  readonly tasksOf: (index: number) => readonly TaskId[];
  readonly bytes: number;
  readonly pieceLength: number;
}

/** A real nats-server, a real scheduler, and light hosts in front of them. */
export class ScaleLab {
  readonly hosts: readonly LightHost[];
  readonly nats: TestNats;
  readonly bus: SharedBus;
  readonly #dir: string;
  readonly #port: number;
  readonly #peers = new Map<string, { take(set: LeaseSet): void }>();
  #scheduler: Child | undefined;
  #censusMs = 0;
  readonly #lag = monitorEventLoopDelay({ resolution: 20 });
  /** Hosts that a scheduler took for gone. */
  lost = 0;

  private constructor(
    nats: TestNats,
    bus: (lab: ScaleLab) => SharedBus,
    count: number,
    held: Held,
    port: number,
  ) {
    this.nats = nats;
    this.#dir = mkdtempSync(join(tmpdir(), 'shoal-scale-'));
    this.#port = port;
    this.bus = bus(this);
    const lab = { bus: this.bus, held: held.tasksOf, heldBytes: held.bytes, pieceLength: held.pieceLength };
    this.hosts = Array.from({ length: count }, (_, index) => new LightHost(lab, index));
  }

  static async start(count: number, held: Held): Promise<ScaleLab> {
    const nats = await startNats();
    let lab: ScaleLab | undefined;
    const shared = await SharedBus.connect(nats.url, {
      onLeases: (hostId, message) => lab?.pushed(hostId, message as { taskId: TaskId; set: LeaseSet }),
      onCensus: (message, hostId) => lab?.heardCensus(message as Census, hostId),
      onLost: () => {
        if (lab !== undefined) lab.lost += 1;
      },
      onState: (connected) => {
        for (const host of lab?.hosts ?? []) host.connected(connected);
      },
    });
    lab = new ScaleLab(nats, () => shared, count, held, await freePort('127.0.0.1'));
    await lab.startScheduler();
    return lab;
  }

  pushed(hostId: string, { set }: { readonly set: LeaseSet }): void {
    this.#peers.get(hostId)?.take(set);
  }

  heardCensus(census: Census, hostId?: string): void {
    if (hostId !== undefined) return this.hosts.find((host) => host.hostId === hostId)?.census(census);
    this.#censusMs = performance.now();
    for (const host of this.hosts) host.census(census);
  }

  /** When the last census came, ms. */
  get censusMs(): number {
    return this.#censusMs;
  }

  /** How late the light hosts themselves were at most, since they joined, ms: what they say late is not the scheduler's fault. */
  get hostsLateMs(): number {
    return this.#lag.max / 1e6;
  }

  hears(hostId: string, peer: { take(set: LeaseSet): void }): void {
    this.#peers.set(hostId, peer);
  }

  spawnScheduler(): void {
    const flags = ['--nats', this.nats.url, '--dir', join(this.#dir, 'scheduler'), '--log-format', 'json'];
    const [node, shoal] = SHOAL;
    const profile = process.env['SCALE_PROF'];
    const node_ = profile === undefined ? [] : ['--cpu-prof', `--cpu-prof-dir=${profile}`];
    this.#scheduler = startChild(
      [node, ...node_, shoal, 'scheduler', ...flags, '--admin-port', String(this.#port)],
      join(this.#dir, 'scheduler.log'),
    );
  }

  async startScheduler(): Promise<void> {
    this.spawnScheduler();
    await until('the scheduler', async () => (await this.health())?.ok);
  }

  async killScheduler(): Promise<void> {
    this.#scheduler?.signal('SIGKILL');
    await this.#scheduler?.ended;
  }

  async stopScheduler(): Promise<void> {
    await this.#scheduler?.stop();
  }

  /** Whether the scheduler is ready, and how many hosts it knows; undefined where it does not answer. */
  async health(): Promise<{ ok: boolean; hosts: number } | undefined> {
    try {
      const answer = await fetch(`http://127.0.0.1:${this.#port}/readyz`);
      const { checks } = (await answer.json()) as { checks?: { hosts?: number } };
      return { ok: answer.ok, hosts: checks?.hosts ?? 0 };
    } catch {
      return undefined;
    }
  }

  /** All hosts join, one after the other. */
  async join(): Promise<void> {
    for (const host of this.hosts) setTimeout(() => host.start(), host.index * START_PER_HOST_MS);
    await until('all hosts', () => this.hosts.every((host) => host.isAnnounced));
    await delay(2_000);
    this.#lag.enable();
    this.#lag.reset();
  }

  get logTail(): string {
    return readFileSync(join(this.#dir, 'scheduler.log'), 'utf8').slice(-3_000);
  }

  usage(): Usage {
    const scheduler = usageOf(this.#scheduler?.pid ?? 0);
    const own = process.cpuUsage();
    return {
      scheduler: scheduler.cpuSeconds,
      schedulerBytes: scheduler.residentBytes,
      nats: usageOf(this.nats.pid).cpuSeconds,
      hosts: (own.user + own.system) / 1e6,
    };
  }

  async close(): Promise<void> {
    for (const host of this.hosts) host.stop();
    await this.#scheduler?.stop();
    await this.bus.close();
    await this.nats[Symbol.asyncDispose]();
    rmSync(this.#dir, { recursive: true, force: true });
  }
}
