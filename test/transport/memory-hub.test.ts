import { describe, expect, test } from 'vitest';
import type { Clock } from '../../core/clock.ts';
import type { Bus } from '../../transport/bus.ts';
import { createMemoryHub } from '../../transport/memory-bus.ts';
import type { Fault, MemoryHubOptions, MessageFlight } from '../../transport/memory-hub.ts';
import { ask, codeOf, tell } from './bus-contract.ts';
import { seededRandom } from './real-clock.ts';

/** Time that passes only when told to. */
class VirtualClock implements Clock {
  #now = 0;
  #next = 0;
  readonly #timers = new Map<number, { at: number; run: () => void }>();

  now(): number {
    return this.#now;
  }

  wall(): number {
    return this.#now;
  }

  after(delayMs: number, run: () => void): () => void {
    this.#next += 1;
    const id = this.#next;
    this.#timers.set(id, { at: this.#now + delayMs, run });
    return () => this.#timers.delete(id);
  }

  /** Runs every timer due within `ms`, in order, with a chance for promises after each. */
  async advance(ms: number): Promise<void> {
    const until = this.#now + ms;
    for (;;) {
      let due: [number, { at: number; run: () => void }] | undefined;
      for (const timer of this.#timers) {
        if (timer[1].at <= until && (due === undefined || timer[1].at < due[1].at)) due = timer;
      }
      if (due === undefined) break;
      this.#timers.delete(due[0]);
      this.#now = due[1].at;
      due[1].run();
      for (let turn = 0; turn < 20; turn += 1) await Promise.resolve();
    }
    this.#now = until;
  }
}

function world(options: Partial<MemoryHubOptions> = {}) {
  const clock = new VirtualClock();
  const hub = createMemoryHub({ clock, random: seededRandom(7), latencyMs: () => 5, ...options });
  return { clock, hub, a: hub.bus('a'), b: hub.bus('b') };
}

const to = { hostId: 'h', taskId: 't', sender: 'a' };
const within = { timeoutMs: 1_000 };

function hear(bus: Bus): string[] {
  const heard: string[] = [];
  bus.subscribe(tell, {}, ({ text }) => heard.push(text));
  return heard;
}

describe('a hub in memory', () => {
  test('delivers after its latency and not before, in virtual time', async () => {
    const { clock, a, b } = world();
    const heard = hear(b);
    a.publish(tell, { hostId: 'h' }, { text: 'x' });
    await clock.advance(4);
    expect(heard).toEqual([]);
    await clock.advance(1);
    expect(heard).toEqual(['x']);
  });

  test('takes one latency there and one back for a request', async () => {
    const { clock, a, b } = world();
    b.serve(ask, {}, async (message) => message);
    let answeredAt = 0;
    const asked = a.request(ask, to, { text: 'x' }, within).then(() => {
      answeredAt = clock.now();
    });
    await clock.advance(50);
    await asked;
    expect(answeredAt).toBe(10);
  });

  test('keeps the order between two buses, even where the latency falls', async () => {
    let latency = 50;
    const { clock, a, b } = world({ latencyMs: () => latency });
    const heard = hear(b);
    for (const text of ['1', '2', '3']) {
      a.publish(tell, { hostId: 'h' }, { text });
      latency -= 20;
    }
    await clock.advance(100);
    expect(heard).toEqual(['1', '2', '3']);
  });

  test('drops, doubles and delays what it is told to', async () => {
    const faults: (Fault | undefined)[] = [{ drop: true }, { duplicates: 2 }, { delayMs: 20 }, undefined];
    const flights: MessageFlight[] = [];
    const { clock, a, b } = world({
      fault: (flight) => {
        flights.push(flight);
        return faults[flights.length - 1];
      },
    });
    const heard = hear(b);
    for (const text of ['lost', 'thrice', 'late', 'plain']) a.publish(tell, { hostId: 'h' }, { text });
    await clock.advance(100);
    expect(heard).toEqual(['thrice', 'thrice', 'thrice', 'plain', 'late']);
    expect(flights[0]).toEqual({ kind: 'publish', from: 'a', to: 'b', subject: 'shoal.v1.tell.h' });
  });

  test('lets a request whose reply was lost run into its time limit', async () => {
    const { clock, a, b } = world({ fault: ({ kind }) => (kind === 'reply' ? { drop: true } : undefined) });
    let served = 0;
    b.serve(ask, {}, (message) => {
      served += 1;
      return message;
    });
    const code = codeOf(a.request(ask, to, { text: 'x' }, within));
    await clock.advance(999);
    expect(served).toBe(1);
    await clock.advance(1);
    expect(await code).toBe('ERR_BUS_TIMEOUT');
  });

  test('loses what arrives at a bus that is cut off meanwhile, and what waits there fails', async () => {
    const { clock, a, b } = world();
    const heard = hear(b);
    b.serve(ask, {}, () => new Promise(() => {}));
    a.publish(tell, { hostId: 'h' }, { text: 'x' });
    const code = codeOf(a.request(ask, to, { text: 'x' }, within));
    b.setConnected(false);
    await clock.advance(10);
    expect(heard).toEqual([]);
    a.setConnected(false);
    expect(await code).toBe('ERR_BUS_UNAVAILABLE');
    a.setConnected(true);
    const nobody = codeOf(a.request(ask, to, { text: 'x' }, within));
    await clock.advance(20);
    expect(await nobody).toBe('ERR_BUS_NO_RESPONDERS');
  });

  test('replays one history for one seed', async () => {
    const run = async (seed: number) => {
      const random = seededRandom(seed);
      const { clock, hub, a, b } = world({ random, drop: () => random.next() < 0.3 });
      const history: string[] = [];
      for (const [name, bus] of Object.entries({ a, b, c: hub.bus('c') })) {
        bus.subscribe(tell, {}, ({ text }) => history.push(`${clock.now()} ${name} ${text}`));
        bus.serve(ask, {}, ({ text }) => ({ text: `${name} ${text}` }), { queue: 'q' });
      }
      for (let index = 0; index < 50; index += 1) {
        a.publish(tell, { hostId: 'h' }, { text: `${index}` });
        void b
          .request(ask, { ...to, sender: 'b' }, { text: `${index}` }, { timeoutMs: 20 })
          .then(({ text }) => history.push(text))
          .catch((error) => history.push(String(error)));
        await clock.advance(3);
      }
      await clock.advance(1_000);
      return history;
    };
    expect(await run(1)).toEqual(await run(1));
    expect(await run(1)).not.toEqual(await run(2));
  });
});
