import { randomInt } from '../../../core/clock.ts';
import type { SimHost } from '../../../sim/host.ts';
import type { SimRandom } from '../../../sim/random.ts';
import type { Simulation } from '../../../sim/world.ts';

interface StageParts {
  readonly sim: Simulation;
  readonly random: SimRandom;
  /** Hosts that have all of the content before the others ask for it, and those that ask. */
  readonly holders: readonly SimHost[];
  readonly wanting: readonly SimHost[];
  /** What one plain download takes, ms. */
  readonly plainMs: number;
}

/** Where a fault is played: what it may draw on, and when. */
export class Stage {
  readonly sim: Simulation;
  readonly random: SimRandom;
  readonly holders: readonly SimHost[];
  readonly wanting: readonly SimHost[];
  readonly plainMs: number;
  /** Hosts that do not run all the time, or cannot read the origin all the time: nothing is promised to them. */
  readonly spoilt = new Set<SimHost>();

  constructor({ sim, random, holders, wanting, plainMs }: StageParts) {
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

  /** One to three hosts that something is done to, so that one at least is left that a promise holds for. */
  victims(): readonly SimHost[] {
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

  /** Begins something at some moment, and ends it after up to ten seconds, or in half of the cases never. */
  spell(begin: () => void, end: () => void): void {
    const atMs = this.momentMs();
    this.sim.at(atMs, begin);
    if (this.random.chance(0.5)) this.sim.at(atMs + 200 + this.random.next() * 10_000, end);
  }
}
