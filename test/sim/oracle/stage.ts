import { randomInt } from '../../../core/clock.ts';
import { LIMITS } from '../../../core/limits.ts';
import type { SimGet, SimHost } from '../../../sim/host.ts';
import type { SimRandom } from '../../../sim/random.ts';
import type { Simulation } from '../../../sim/world.ts';
import { heldAlone } from '../scene.ts';

/** One get, and since when its host has run and could read the origin. */
export interface Asked {
  readonly get: SimGet;
  sinceMs: number;
  /** Its host was lost before. */
  wasLost: boolean;
}

interface StageParts {
  /** What every client asks for. */
  readonly request: { readonly resource: string; readonly digest?: string };
  readonly sim: Simulation;
  readonly random: SimRandom;
  /** Hosts that have all of the content before the others ask for it, and those that ask. */
  readonly holders: readonly SimHost[];
  readonly wanting: readonly SimHost[];
  /** What one plain download takes, ms. */
  readonly plainMs: number;
}

/** What a lone reader of the origin may have on its way, bytes. */
const ON_THE_WAY = LIMITS.originLeasesLoneHost * LIMITS.pieceMinBytes;

/** Where a fault is played: what it may draw on, and when. */
export class Stage {
  readonly sim: Simulation;
  readonly random: SimRandom;
  readonly holders: readonly SimHost[];
  readonly wanting: readonly SimHost[];
  readonly plainMs: number;
  /** Hosts that do not run now, or cannot read the origin, or will not: nothing is promised to them. */
  readonly spoilt = new Set<SimHost>();
  /** What clients asked for, and since when the promise holds, ms. */
  readonly asked: Asked[] = [];
  /** What hosts that were lost had, or were about to have, and nobody else, bytes. */
  readonly #lost = new Map<SimHost, number>();
  /** When the last host of those that come back does so, ms. */
  #backMs = 0;
  readonly request: StageParts['request'];

  constructor({ sim, random, holders, wanting, plainMs, request }: StageParts) {
    this.request = request;
    this.sim = sim;
    this.random = random;
    this.holders = holders;
    this.wanting = wanting;
    this.plainMs = plainMs;
  }

  pick<T>(items: readonly T[]): T {
    const item = items[randomInt(this.random, items.length)];
    if (item === undefined) throw new Error('nothing to pick from');
    return item;
  }

  /** A host that others fetch from: one that holds all, where there is one. */
  parent(): SimHost {
    return this.pick(this.holders.length > 0 ? this.holders : this.sim.hosts);
  }

  /** So chosen that one host at least is left that asks, and that the promise holds for. */
  #victims(): readonly SimHost[] {
    const chosen: SimHost[] = [];
    for (let left = 1 + randomInt(this.random, 3); left > 0; left -= 1) {
      const others = this.wanting.filter((host) => !this.spoilt.has(host));
      const free = this.sim.hosts.filter((host) => !this.spoilt.has(host));
      const spare = others.length > 1 ? free : free.filter((host) => !others.includes(host));
      if (spare.length === 0) break;
      const host = this.pick(spare);
      this.spoilt.add(host);
      chosen.push(host);
    }
    return chosen;
  }

  /** Some moment from just before the first get until about the end of the last, ms from now. */
  momentMs(): number {
    return this.random.chance(0.4) ? 0 : this.random.next() * this.plainMs;
  }

  /** A client of the host asks. */
  ask(host: SimHost): void {
    this.asked.push({ get: host.get(this.request), sinceMs: this.sim.clock.now(), wasLost: false });
  }

  /** The gets that the promise holds for, now. */
  get owed(): readonly Asked[] {
    return this.asked.filter(({ get, sinceMs, wasLost }) => {
      if (get.state === 'crashed' || this.spoilt.has(get.host)) return false;
      // What its host began before it was back may fail so much later.
      return get.state !== 'failed' || (get.endedMs ?? 0) >= sinceMs + (wasLost ? LIMITS.connectMs : 0);
    });
  }

  /** Whether no get is under way that the promise holds for, nor will be. */
  get isOver(): boolean {
    return this.sim.clock.now() >= this.#backMs && this.owed.every(({ get }) => get.state !== 'running');
  }

  /** From now on nobody gets what the host has: what it has alone, or is about to, is to be read anew. */
  withholds(host: SimHost): void {
    const others = this.sim.hosts.filter((other) => other !== host && !this.spoilt.has(other));
    void heldAlone(host, others).then((bytes) => {
      this.#lost.set(host, Math.max(this.#lost.get(host) ?? 0, bytes + ON_THE_WAY));
    });
  }

  get lostBytes(): number {
    return [...this.#lost.values()].reduce((sum, bytes) => sum + bytes, 0);
  }

  /** One to three hosts are lost for a while, or for good; from when they are back on, the promise holds for them too. */
  lose(gone: (host: SimHost) => void, back: (host: SimHost) => void): void {
    for (const host of this.#victims()) {
      const begin = () => {
        this.withholds(host);
        gone(host);
      };
      const end = () => {
        this.spoilt.delete(host);
        for (const asked of this.asked.filter(({ get }) => get.host === host)) {
          asked.sinceMs = this.sim.clock.now();
          asked.wasLost = true;
        }
        back(host);
      };
      const untilMs = this.spell(begin, end);
      this.#backMs = Math.max(this.#backMs, this.sim.clock.now() + (untilMs ?? 0));
    }
  }

  /** Begins something at some moment, and ends it after up to ten seconds, or in half of the cases never; returns when, ms from now. */
  spell(begin: () => void, end: () => void): number | undefined {
    const atMs = this.momentMs();
    this.sim.at(atMs, begin);
    if (this.random.chance(0.5)) return undefined;
    const untilMs = atMs + 200 + this.random.next() * 10_000;
    this.sim.at(untilMs, end);
    return untilMs;
  }
}
