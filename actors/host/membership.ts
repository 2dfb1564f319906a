import type { Clock } from '../../core/clock.ts';
import type { HostAddress } from '../../core/host.ts';
import type { HostId } from '../../core/ids.ts';
import { LIMITS } from '../../core/limits.ts';

/** The word of a scheduler that is not believed. */
export interface RefusedEpoch {
  /** `older`: than one accepted; `ahead`: too far of this host's own clock. */
  readonly why: 'older' | 'ahead';
  readonly epoch: number;
  /** The larger epoch accepted, or this host's wall clock, ms. */
  readonly against: number;
}

/** So long after a scheduler showed another time than the one before, hosts may still go by that one. */
const CLOCK_KEPT_MS = 60_000;
/** A refusal that was not repeated is told for this long. */
const TOLD_MS = 600_000;

/** A host that schedulers name no more is kept in the book for so long: one just born knows few, those told first fewest. */
const NAMED_KEPT_MS = 60_000;

/**
 * What this host knows of its swarm and keeps through isolation: hosts to ask when adrift, and the largest epoch
 * accepted in each partition, which fences off a former owner.
 */
export class Membership {
  readonly #clock: Pick<Clock, 'now' | 'wall'>;
  readonly #onRefused: (refused: RefusedEpoch) => void;
  readonly #epochs = new Map<number, number>();
  readonly #refused = new Map<number, RefusedEpoch & { readonly atMs: number }>();
  #told: RefusedEpoch | undefined;
  #clockAheadMs = 0;
  #clockBefore = { aheadMs: 0, untilMs: 0 };
  #book = new Map<HostId, { readonly host: HostAddress; readonly namedMs: number }>();

  /** @param onRefused called when an epoch is refused, once while it is the same */
  constructor(clock: Pick<Clock, 'now' | 'wall'>, onRefused: (refused: RefusedEpoch) => void = () => {}) {
    this.#clock = clock;
    this.#onRefused = onRefused;
  }

  /** Whether a word of this epoch may be believed; remembers it if so. */
  acceptEpoch(partition: number, epoch: number): boolean {
    const known = this.epoch(partition);
    const wall = this.#clock.wall();
    // Accepted once it would fence off every scheduler there is, for good.
    if (epoch > known && epoch > wall + LIMITS.epochAheadMs)
      return this.#refuse(partition, 'ahead', epoch, wall);
    if (epoch < known) return this.#refuse(partition, 'older', epoch, known);
    this.#epochs.set(partition, epoch);
    this.#refused.delete(partition);
    return true;
  }

  #refuse(partition: number, why: RefusedEpoch['why'], epoch: number, against: number): false {
    const refused = { why, epoch, against };
    this.#refused.set(partition, { ...refused, atMs: this.#clock.now() });
    if (this.#told?.why !== why || this.#told.epoch !== epoch) {
      this.#told = refused;
      this.#onRefused(refused);
    }
    return false;
  }

  epoch(partition: number): number {
    return this.#epochs.get(partition) ?? 0;
  }

  /** The last word that was refused there, where none was accepted since. */
  refusedIn(partition: number): RefusedEpoch | undefined {
    return this.#refused.get(partition);
  }

  /** The same in any partition, of late. */
  get refused(): RefusedEpoch | undefined {
    let last: (RefusedEpoch & { readonly atMs: number }) | undefined;
    for (const refused of this.#refused.values()) {
      if (this.#clock.now() - refused.atMs > TOLD_MS) continue;
      if (last === undefined || refused.atMs >= last.atMs) last = refused;
    }
    return last;
  }

  /** What the clock of a scheduler showed a moment ago; returns whether the own one begins to differ too much. */
  compareClock(schedulerWallMs: number): boolean {
    const before = this.clockAheadMs;
    const aheadMs = this.#clock.wall() - schedulerWallMs;
    if (Math.abs(aheadMs - this.#clockAheadMs) > LIMITS.clockLeewayMs / 2) {
      this.#clockBefore = { aheadMs: before ?? 0, untilMs: this.#clock.now() + CLOCK_KEPT_MS };
    }
    this.#clockAheadMs = aheadMs;
    return before === undefined && this.clockAheadMs !== undefined;
  }

  /**
   * What other members may take for the time, wall-clock ms: what the scheduler says, first; and for a while what the one
   * before said, for they do not all hear of it at once.
   */
  get walls(): readonly [number, ...number[]] {
    const wall = this.#clock.wall();
    const { aheadMs, untilMs } = this.#clockBefore;
    const before = this.#clock.now() < untilMs ? [wall - aheadMs] : [];
    return [wall - (this.clockAheadMs ?? 0), ...before];
  }

  /** How far the own clock is ahead of the scheduler's, ms, where hosts could refuse each other for it. */
  get clockAheadMs(): number | undefined {
    return Math.abs(this.#clockAheadMs) > LIMITS.clockLeewayMs / 2 ? this.#clockAheadMs : undefined;
  }

  /** Takes the address book of a scheduler; those named before stay for a while, as far as there is room. */
  know(hosts: readonly HostAddress[]): void {
    const before = this.#book;
    const nowMs = this.#clock.now();
    this.#book = new Map(hosts.map((host) => [host.hostId, { host, namedMs: nowMs }]));
    for (const [hostId, named] of before) {
      if (this.#book.size >= LIMITS.addressBookHosts) return;
      if (!this.#book.has(hostId) && nowMs - named.namedMs < NAMED_KEPT_MS) this.#book.set(hostId, named);
    }
  }

  get addressBook(): readonly HostAddress[] {
    return [...this.#book.values()].map(({ host }) => host);
  }
}
