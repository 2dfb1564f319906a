import { z } from 'zod';

/** What a download can be doing, as far as its time is counted; at each moment it does one of them. */
export type Doing = 'waiting' | 'origin' | 'hosts' | 'tail' | 'cpu' | 'disk';

const DOINGS: readonly Doing[] = ['waiting', 'origin', 'hosts', 'tail', 'cpu', 'disk'];

/** What the time of a download went to, and how each part is called where it is told. docs/EXPLAIN.md defines them. */
export const TIME_PARTS = {
  asking: 'asking what it is',
  links: 'links',
  waiting: 'waiting for pieces',
  origin: 'slow origin',
  hosts: 'slow hosts',
  tail: 'tail',
  cpu: 'own cpu',
  disk: 'own disk',
  client: 'the client',
} as const;
export type TimePart = keyof typeof TIME_PARTS;

const ms = z.number().min(0);
export const timeSpentSchema = z.object({
  asking: ms.describe('before the download: which content it is'),
  links: ms.describe('what the bytes take at the rate that the host was seen to receive'),
  waiting: ms.describe('nothing ran: no piece could be had'),
  origin: ms.describe('only the origin gave, more slowly than the links allow'),
  hosts: ms.describe('hosts gave, more slowly than the links allow'),
  tail: ms.describe('the last twentieth of the pieces, beyond what the links take'),
  cpu: ms.describe('the process of the host had no time left'),
  disk: ms.describe('the process of the host waited for its disk'),
  client: ms.describe('after the download: the client read slowly, or its right was being proven'),
});
/** Milliseconds of a download by what they went to; together its wall time. */
export type TimeSpent = z.infer<typeof timeSpentSchema>;

/** Time and bytes of a download by what it was doing. */
export interface Spent {
  readonly ms: Readonly<Record<Doing, number>>;
  readonly bytes: Readonly<Record<Doing, number>>;
}

const zeros = (): Record<Doing, number> => ({ waiting: 0, origin: 0, hosts: 0, tail: 0, cpu: 0, disk: 0 });

/** Nothing spent. */
export const NOTHING_SPENT: Spent = { ms: zeros(), bytes: zeros() };

/** Counts what a download does: each moment once, and each byte to what was done as it was stored. */
export class Stopwatch {
  #doing: Doing;
  /** Undefined while it stands still. */
  #sinceMs: number | undefined;
  #ms = zeros();
  #bytes = zeros();
  /** Bytes that came since the last turn. */
  #came = 0;

  constructor(nowMs: number, doing: Doing) {
    this.#sinceMs = nowMs;
    this.#doing = doing;
  }

  /**
   * From now on this is done; time while it stood still is not counted.
   * @param heldBy what of this host held up whatever was done until now
   */
  turn(doing: Doing, nowMs: number, heldBy?: Doing): void {
    this.#book(nowMs, heldBy);
    this.#doing = doing;
    this.#sinceMs = nowMs;
  }

  came(bytes: number): void {
    this.#came += bytes;
  }

  stop(nowMs: number): void {
    this.#book(nowMs);
    this.#sinceMs = undefined;
  }

  #book(nowMs: number, heldBy = this.#doing): void {
    this.#ms[heldBy] += nowMs - (this.#sinceMs ?? nowMs);
    this.#bytes[heldBy] += this.#came;
    this.#came = 0;
  }

  spent(nowMs: number): Spent {
    const spent = { ms: { ...this.#ms }, bytes: { ...this.#bytes } };
    spent.ms[this.#doing] += nowMs - (this.#sinceMs ?? nowMs);
    spent.bytes[this.#doing] += this.#came;
    return spent;
  }
}

/** What was spent between two looks. */
export function spentSince(now: Spent, before: Spent): Spent {
  const spent = { ms: zeros(), bytes: zeros() };
  for (const doing of DOINGS) {
    spent.ms[doing] = Math.max(0, now.ms[doing] - before.ms[doing]);
    spent.bytes[doing] = Math.max(0, now.bytes[doing] - before.bytes[doing]);
  }
  return spent;
}

/** Milliseconds in all. */
export function totalMs({ ms: spent }: Spent): number {
  return DOINGS.reduce((sum, doing) => sum + spent[doing], 0);
}

/** A time in which several downloads ran beside each other, divided as their own times are together. */
export function divided(times: readonly TimeSpent[], wholeMs: number): TimeSpent {
  const parts = Object.keys(TIME_PARTS) as TimePart[];
  const sum = { ...timeSpent(NOTHING_SPENT, 0) };
  for (const time of times) for (const part of parts) sum[part] += time[part];
  const sumMs = parts.reduce((all, part) => all + sum[part], 0);
  if (sumMs <= 0) return { ...sum, asking: wholeMs };
  for (const part of parts) sum[part] *= wholeMs / sumMs;
  return sum;
}

/**
 * Takes from each kind of time what its bytes need on the links; the rest is what it went to. What a kind has too little
 * time for came while something else was done, and is taken there. The parts add up to the time spent.
 * @param linkBytesPerSec the most that this host was seen to receive; it is never less than in this download itself
 */
export function timeSpent({ ms: spent, bytes }: Spent, linkBytesPerSec: number): TimeSpent {
  const moved = DOINGS.filter((doing) => bytes[doing] > 0);
  const movedBytes = moved.reduce((sum, doing) => sum + bytes[doing], 0);
  const movedMs = moved.reduce((sum, doing) => sum + spent[doing], 0);
  const perMs = Math.max(linkBytesPerSec / 1000, movedMs > 0 ? movedBytes / movedMs : 0);
  const rest = { ...spent };
  let owedMs = 0;
  for (const doing of moved) {
    const needsMs = perMs > 0 ? bytes[doing] / perMs : 0;
    rest[doing] = Math.max(0, spent[doing] - needsMs);
    owedMs += Math.max(0, needsMs - spent[doing]);
  }
  const slackMs = moved.reduce((sum, doing) => sum + rest[doing], 0);
  const taken = slackMs > 0 ? Math.min(1, owedMs / slackMs) : 0;
  for (const doing of moved) rest[doing] *= 1 - taken;
  const lostMs = DOINGS.reduce((sum, doing) => sum + rest[doing], 0);
  const links = Math.max(0, totalMs({ ms: spent, bytes }) - lostMs);
  return { asking: 0, links, ...rest, client: 0 };
}
