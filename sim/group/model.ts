import { LIMITS } from '../../core/limits.ts';
import { silentLogger } from '../../core/logger.ts';
import { heartbeatKey, ownershipKey, readHeartbeat, readOwnershipRow } from '../../core/ownership.ts';
import { createMemoryHub } from '../../transport/memory-bus.ts';
import { SUBJECTS } from '../../transport/subjects.ts';
import { SimClock } from '../clock.ts';
import { SimRandom } from '../random.ts';
import { ModelHost } from './host.ts';
import { type ModelGround, ModelScheduler } from './scheduler.ts';
import { ModelStore } from './store.ts';

const PARTITIONS = 3;
const HOSTS = 2;
const ASK_MS = 400;
/** How long things go wrong, and how long the group has afterwards. */
const TROUBLE_MS = 20_000;
const PEACE_MS = 15_000;
const HOUR_MS = 3_600_000;
/** An operation at the store, and as long again until its answer is weighed. */
const OFFER_MS = 2_000;

/** How one history went. */
export interface GroupHistory {
  readonly seed: number;
  /** What went wrong; undefined where everything held. */
  readonly fault: string | undefined;
  /** Answers that hosts took, and lives of schedulers. */
  readonly served: number;
  readonly lives: number;
  /** What happened, a line each. */
  readonly lines: readonly string[];
}

/**
 * One history of a group of schedulers: joins, drained leaves, deaths, processes that stand still past their term, clocks
 * that jump, lost messages, a store that is lost or wiped, forged epochs; then peace. Throughout, no host takes an older
 * epoch after a newer one and no two schedulers grant under one epoch of a partition; in the end every host is served.
 */
export class GroupModel {
  readonly #seed: number;
  readonly #random: SimRandom;
  readonly #clock = new SimClock();
  readonly #ground: ModelGround;
  readonly #hosts: readonly ModelHost[];
  readonly #forger;
  readonly #schedulers: ModelScheduler[] = [];
  /** By partition and epoch: who granted under it. */
  readonly #grants = new Map<string, string>();
  /** The same, of those whose owner was taken over though it gave nothing away: nobody grants under them. */
  readonly #fenced = new Set<string>();
  /** When an owner last gave a partition away, in its heartbeat. */
  readonly #offered = new Map<string, number>();
  /** Who granted each partition of late, and when. */
  readonly #granters = new Map<string, number>();
  readonly #lines: string[] = [];
  #loss = 0;
  #wipedMs = Number.NEGATIVE_INFINITY;
  #served = 0;
  #fault: string | undefined;

  constructor(seed: number) {
    const clock = this.#clock;
    this.#seed = seed;
    this.#random = new SimRandom(seed);
    const lossRandom = this.#random.fork('loss');
    const hub = createMemoryHub({
      clock,
      random: this.#random.fork('hub'),
      latencyMs: () => 1,
      drop: () => lossRandom.chance(this.#loss),
    });
    const fail = (_: unknown, message: string) => this.#fail(message);
    this.#ground = {
      clock,
      random: this.#random.fork('schedulers'),
      hub,
      store: new ModelStore(clock, this.#random.fork('store')),
      partitions: PARTITIONS,
      log: { ...silentLogger, error: fail },
    };
    this.#ground.store.onPut = (key, value, before) => this.#changed(key, value, before);
    this.#hosts = Array.from({ length: HOSTS }, (_, index) => new ModelHost(hub.bus(`h${index}`), clock));
    this.#forger = hub.bus('forger');
  }

  async run(): Promise<GroupHistory> {
    const { store } = this.#ground;
    for (let count = 1 + this.#below(3); count > 0; count -= 1) this.#start();
    for (const host of this.#hosts) this.#clock.after(this.#random.next() * ASK_MS, () => this.#ask(host));
    this.#trouble();
    await this.#clock.run(TROUBLE_MS, () => this.#fault !== undefined);
    this.#say('peace');
    this.#loss = 0;
    Object.assign(store.faults, { isDown: false, loss: 0, latencyMs: 5 });
    for (const scheduler of this.#alive()) {
      scheduler.cut(false);
      scheduler.process.skewMs = 0;
    }
    if (this.#alive().every(({ isLeaving }) => isLeaving)) this.#start();
    const isOver = () => this.#fault !== undefined;
    await this.#clock.run(TROUBLE_MS + PEACE_MS, isOver);
    if (this.#fault === undefined) this.#checkServed();
    if (this.#fault === undefined) this.#checkAlone();
    return {
      seed: this.#seed,
      fault: this.#fault,
      served: this.#served,
      lives: this.#schedulers.length,
      lines: this.#lines,
    };
  }

  #checkServed(): void {
    for (const [index, host] of this.#hosts.entries()) {
      for (let partition = 0; partition < PARTITIONS; partition += 1) {
        const agoMs = this.#clock.now() - host.servedMs(partition);
        if (agoMs > 3 * ASK_MS)
          this.#fail(`host ${index} was served ${agoMs} ms ago in partition ${partition}`);
      }
    }
  }

  /** Each partition has one scheduler. */
  #checkAlone(): void {
    const nowMs = this.#clock.now();
    const late = [...this.#granters].filter(([, atMs]) => nowMs - atMs < 5 * ASK_MS);
    const partitions = new Set(late.map(([granter]) => granter.split(' ')[0]));
    if (late.length !== partitions.size) this.#fail(`several grant: ${late.map(([granter]) => granter)}`);
  }

  /** A row changed: who was taken over, and neither gave it away nor left, is to have stopped before. */
  #changed(key: string, value: Uint8Array, before: Uint8Array | undefined): void {
    const of = ownershipKey(key);
    if (of !== undefined && 'heartbeatOf' in of) {
      for (const partition of readHeartbeat(value)?.offers ?? [])
        this.#offered.set(`${partition} ${of.heartbeatOf}`, this.#clock.now());
    }
    const row = readOwnershipRow(value);
    const old = before && readOwnershipRow(before);
    if (of === undefined || !('partition' in of) || row === undefined || old === undefined) return;
    if (row.owner === old.owner) return;
    const { store } = this.#ground;
    const standing = store.get(heartbeatKey(old.owner));
    if (standing && readHeartbeat(standing)?.offers.includes(of.partition) === true) return;
    const nowMs = this.#clock.now();
    const offeredMs = this.#offered.get(`${of.partition} ${old.owner}`) ?? Number.NEGATIVE_INFINITY;
    // An offer that was withdrawn may still be taken up by whoever heard of it; a wiped store has forgotten heartbeats
    // of schedulers that are in their terms, whom only their epochs fence off.
    if (nowMs - Math.max(offeredMs, this.#wipedMs + LIMITS.termMs) <= OFFER_MS) return;
    this.#fenced.add(`${of.partition}/${old.epoch}`);
  }

  #say(line: string): void {
    this.#lines.push(`${Math.round(this.#clock.now())} ${line}`);
  }

  #fail(fault: string): void {
    this.#fault ??= fault;
    this.#say(fault);
    for (const scheduler of this.#alive()) this.#say(scheduler.describe());
  }

  #below(count: number): number {
    return Math.floor(this.#random.next() * count);
  }

  #alive(): ModelScheduler[] {
    return this.#schedulers.filter(({ isAlive }) => isAlive);
  }

  #start(): void {
    const used = new Set(this.#alive().map(({ keyId }) => keyId));
    const former = this.#schedulers.find(({ keyId }) => !used.has(keyId));
    const keyId = this.#random.chance(0.5) && former ? former.keyId : `key-${this.#schedulers.length}`;
    const skewMs = this.#random.chance(0.2) ? (this.#random.next() - 0.3) * 2 * HOUR_MS : 0;
    const scheduler = new ModelScheduler(this.#ground, { keyId, skewMs });
    this.#schedulers.push(scheduler);
    this.#say(`start ${scheduler.id} ${keyId} ${Math.round(skewMs)}`);
  }

  // --- hosts ---

  #ask(host: ModelHost): void {
    const { random } = this.#ground;
    const far = (run: () => void) => {
      if (!random.chance(this.#loss)) this.#clock.after(random.next() * 20, run);
    };
    for (let partition = 0; partition < PARTITIONS; partition += 1) {
      const refused = host.refusedEpoch(partition);
      for (const scheduler of this.#alive()) {
        far(() =>
          scheduler.asked(partition, refused, (epoch) => {
            this.#granted(partition, epoch, scheduler);
            far(() => this.#answer(host, partition, epoch));
          }),
        );
      }
    }
    this.#clock.after(ASK_MS * (0.9 + random.next() * 0.2), () => this.#ask(host));
  }

  #granted(partition: number, epoch: number, { id }: ModelScheduler): void {
    const key = `${partition}/${epoch}`;
    const before = this.#grants.get(key) ?? id;
    if (before !== id) this.#fail(`${before} and ${id} both granted under epoch ${epoch} of ${partition}`);
    this.#grants.set(key, before);
    if (this.#fenced.has(key)) this.#fail(`${id} granted ${key} after it was taken over`);
    this.#granters.set(`${partition} ${id}`, this.#clock.now());
  }

  #answer(host: ModelHost, partition: number, epoch: number): void {
    try {
      host.answered(partition, epoch, this.#clock.now());
      this.#served += 1;
    } catch (error) {
      this.#fail(String(error));
    }
  }

  // --- trouble ---

  #trouble(): void {
    if (this.#clock.now() >= TROUBLE_MS - 1) return;
    const troubles = [
      () => this.#start(),
      () => this.#one((scheduler) => scheduler.kill(), 'kill'),
      () => this.#one((scheduler) => scheduler.leave(), 'leave'),
      () => this.#freeze(),
      () => this.#freeze(),
      () => this.#cut(),
      () => this.#jump(),
      () => this.#lose(),
      () => this.#breakStore(),
      () => this.#forge(),
    ];
    if (this.#alive().length < 2 && this.#random.chance(0.5)) this.#start();
    else if (this.#alive().length < 5 || this.#random.chance(0.5)) troubles[this.#below(troubles.length)]?.();
    this.#clock.after(this.#random.next() * 2_500, () => this.#trouble());
  }

  #one(what: (scheduler: ModelScheduler) => void, name: string): void {
    const alive = this.#alive();
    const scheduler = alive[this.#below(alive.length)];
    if (scheduler === undefined) return;
    this.#say(`${name} ${scheduler.id}`);
    what(scheduler);
  }

  #freeze(): void {
    const forMs = 100 + this.#random.next() * 6_000;
    this.#one(({ process }) => process.freeze(forMs), `freeze ${Math.round(forMs)}`);
  }

  #cut(): void {
    const forMs = 100 + this.#random.next() * 5_000;
    this.#one(
      (scheduler) => {
        scheduler.cut(true);
        this.#clock.after(forMs, () => {
          if (scheduler.isAlive) scheduler.cut(false);
        });
      },
      `cut ${Math.round(forMs)}`,
    );
  }

  #jump(): void {
    const byMs = (this.#random.next() - 0.5) * (this.#random.chance(0.3) ? 40 * HOUR_MS : HOUR_MS);
    this.#one(
      ({ process }) => {
        process.skewMs = byMs;
      },
      `jump ${Math.round(byMs)}`,
    );
  }

  #lose(): void {
    this.#loss = this.#random.next() * 0.3;
    this.#ground.store.faults.loss = this.#random.next() * 0.3;
    this.#ground.store.faults.latencyMs = this.#random.chance(0.3) ? 400 : 5;
    this.#say(`lose ${this.#loss.toFixed(2)} ${this.#ground.store.faults.loss.toFixed(2)}`);
  }

  #breakStore(): void {
    const { store } = this.#ground;
    if (this.#random.chance(0.4)) {
      this.#say('wipe');
      this.#wipedMs = this.#clock.now();
      return store.wipe();
    }
    const forMs = 500 + this.#random.next() * 8_000;
    this.#say(`store down ${Math.round(forMs)}`);
    store.faults.isDown = true;
    this.#clock.after(forMs, () => {
      store.faults.isDown = false;
    });
  }

  #forge(): void {
    const epoch = this.#clock.wall() + Math.floor(this.#random.next() * 23 * HOUR_MS);
    const partition = this.#below(PARTITIONS);
    this.#say(`forge ${epoch} of ${partition}`);
    this.#forger.publish(SUBJECTS.census, {}, { epoch, partitions: [partition], schedulerKeys: [] });
  }
}

/** The history of one seed. */
export function groupHistory(seed: number): Promise<GroupHistory> {
  return new GroupModel(seed).run();
}
