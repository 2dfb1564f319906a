import type { Clock } from '../../core/clock.ts';

/** Bytes that are sent over an uplink, some at a time. */
export interface Sending {
  readonly isOpen: boolean;
  /** How many are to go out next; 0: none for now. */
  next(): number;
  /** They went out, from then on. */
  sent(bytes: number, begunMs: number): void;
}

/** An uplink: what is sent at once shares it, one chunk of each in turn. */
export class Uplink {
  readonly bytesPerMs: number;
  readonly #clock: Clock;
  readonly #turns: Sending[] = [];
  #busy = false;
  sentBytes = 0;

  constructor(clock: Clock, bytesPerSec: number) {
    this.#clock = clock;
    this.bytesPerMs = bytesPerSec / 1000;
  }

  /** Lines up for one chunk. */
  send(sending: Sending): void {
    this.#turns.push(sending);
    if (!this.#busy) this.#turn();
  }

  #turn(): void {
    for (;;) {
      const sending = this.#turns.shift();
      if (sending === undefined) return;
      const bytes = sending.isOpen ? sending.next() : 0;
      if (bytes === 0) continue;
      const begunMs = this.#clock.now();
      this.#busy = true;
      this.#clock.after(bytes / this.bytesPerMs, () => {
        this.#busy = false;
        this.sentBytes += bytes;
        sending.sent(bytes, begunMs);
        if (!this.#busy) this.#turn();
      });
      return;
    }
  }
}

/** A downlink: what comes at once goes through one after the other. */
export class Downlink {
  readonly #bytesPerMs: number;
  #busyUntilMs = 0;

  constructor(bytesPerSec: number) {
    this.#bytesPerMs = bytesPerSec / 1000;
  }

  /** When bytes are through whose first comes at `firstMs` and whose last at `lastMs`. */
  through(bytes: number, firstMs: number, lastMs: number): number {
    this.#busyUntilMs = Math.max(lastMs, Math.max(this.#busyUntilMs, firstMs) + bytes / this.#bytesPerMs);
    return this.#busyUntilMs;
  }
}
