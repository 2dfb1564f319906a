import type { Cancel } from '../core/clock.ts';
import { ShoalError } from '../core/errors.ts';
import { onAbort } from '../core/on-abort.ts';
import type { BusState, Directory, Subscription } from './bus.ts';
import { inboxPrefix } from './inbox.ts';
import { MemoryDirectory } from './memory-directory.ts';
import { type Listener, type MemorySwitch, type ProcessTime, STORE_PLACE } from './memory-hub.ts';
import { workMemoryQueue } from './memory-work.ts';
import { matches } from './pattern.ts';
import { cancelled, unavailable } from './unavailable.ts';
import type { Wire, WireAnswer, WireMessage, WireRecord, WorkHandler, WorkOptions } from './wire.ts';

/** A wire over a hub in memory. */
export class MemoryWire implements Wire {
  readonly name: string;
  readonly process: ProcessTime;
  readonly #hub: MemorySwitch;
  readonly #listeners = new Set<Listener>();
  readonly #bySubject = new Map<string, Listener[]>();
  readonly #pending = new Set<(error: ShoalError) => void>();
  readonly #states = new Set<(state: BusState) => void>();
  #state: BusState = 'connected';

  constructor(name: string, hub: MemorySwitch, process: ProcessTime) {
    this.name = name;
    this.process = process;
    this.#hub = hub;
    hub.wires.add(this);
  }

  get state(): BusState {
    return this.#state;
  }

  setState(state: BusState): void {
    if (this.#state === state || this.#state === 'closed') return;
    this.#state = state;
    if (state !== 'connected') for (const fail of [...this.#pending]) fail(unavailable());
    for (const listener of [...this.#states]) listener(state);
  }

  onState(listener: (state: BusState) => void): Subscription {
    this.#states.add(listener);
    return { close: () => this.#states.delete(listener) };
  }

  publish(subject: string, bytes: Uint8Array): boolean {
    if (this.#state !== 'connected') return false;
    this.#hub.route('publish', this, subject, ({ handler }) => handler({ subject, bytes }));
    return true;
  }

  request(
    subject: string,
    bytes: Uint8Array,
    options: { readonly timeoutMs: number; readonly signal?: AbortSignal },
  ): Promise<WireAnswer> {
    return this.#operation<WireAnswer>(options.signal, (settle) => {
      const heard = this.#ask(subject, bytes, (answer) => settle(undefined, answer));
      if (!heard) {
        const nobody = new ShoalError('ERR_BUS_NO_RESPONDERS', `nobody answers on ${subject}`);
        return this.process.after(2 * this.#hub.latencyMs(this.name, STORE_PLACE), () => settle(nobody));
      }
      return this.process.after(options.timeoutMs, () =>
        settle(new ShoalError('ERR_BUS_TIMEOUT', `no answer on ${subject} within ${options.timeoutMs} ms`)),
      );
    });
  }

  gather(
    subject: string,
    bytes: Uint8Array,
    waitMs: number,
    most = Number.POSITIVE_INFINITY,
  ): Promise<WireAnswer[]> {
    const answers: WireAnswer[] = [];
    return this.#operation<WireAnswer[]>(undefined, (settle) => {
      const heard = this.#ask(subject, bytes, (answer) => {
        if (answers.push(answer) >= most) settle(undefined, answers);
      });
      return this.process.after(heard ? waitMs : 0, () => settle(undefined, answers));
    });
  }

  listen(pattern: string, queue: string | undefined, handler: (message: WireMessage) => void): Subscription {
    const listener: Listener = { wire: this, pattern, queue, handler, open: true };
    this.#listeners.add(listener);
    this.#bySubject.clear();
    return {
      close: () => {
        listener.open = false;
        this.#listeners.delete(listener);
        this.#bySubject.clear();
      },
    };
  }

  /** Who hears the subject here; nobody while disconnected. */
  listeners(subject: string): readonly Listener[] {
    if (this.#state !== 'connected') return [];
    let found = this.#bySubject.get(subject);
    if (found === undefined) {
      found = [...this.#listeners].filter(({ pattern }) => matches(pattern, subject));
      if (this.#bySubject.size > 4096) this.#bySubject.clear();
      this.#bySubject.set(subject, found);
    }
    return found;
  }

  append(stream: string, subject: string, bytes: Uint8Array): Promise<void> {
    return this.stored(() => this.#hub.store.append(stream, subject, bytes));
  }

  readLast(stream: string, pattern: string): Promise<WireRecord[]> {
    return this.stored(() => this.#hub.store.readLast(stream, pattern));
  }

  enqueue(stream: string, subject: string, bytes: Uint8Array): Promise<boolean> {
    return this.stored(() => this.#hub.store.queue(stream).put(subject, bytes));
  }

  work(stream: string, options: WorkOptions, handler: WorkHandler): Subscription {
    return workMemoryQueue(this, this.#hub.store.queue(stream), options, handler);
  }

  directory(bucket: string): Directory {
    return new MemoryDirectory(this, this.#hub, this.#hub.store.bucket(bucket));
  }

  /** Runs an operation at the store, a round trip away. @throws ERR_BUS_UNAVAILABLE */
  stored<R>(run: () => R): Promise<R> {
    return this.#operation<R>(undefined, (settle) =>
      this.process.after(2 * this.#hub.latencyMs(this.name, STORE_PLACE), () => {
        try {
          settle(undefined, run());
        } catch (error) {
          settle(error as ShoalError);
        }
      }),
    );
  }

  close(): Promise<void> {
    this.setState('closed');
    this.#hub.wires.delete(this);
    this.#listeners.clear();
    this.#bySubject.clear();
    return Promise.resolve();
  }

  #ask(subject: string, bytes: Uint8Array, take: (answer: WireAnswer) => void): boolean {
    return this.#hub.route('request', this, subject, ({ wire, handler }) => {
      const respond = (answer: WireAnswer) => {
        if (wire.state !== 'connected') return;
        this.#hub.fly({ kind: 'reply', from: wire.name, to: this.name, subject }, () => {
          this.process.take(() => {
            if (this.#state === 'connected') take(answer);
          });
        });
      };
      handler({
        subject,
        bytes,
        reply: `${inboxPrefix({ kind: 'client', name: this.name })}.answer`,
        respond,
      });
    });
  }

  /** One operation that ends by its timer, its answer, a lost connection or an abort, whichever is first. */
  #operation<R>(
    signal: AbortSignal | undefined,
    begin: (settle: (error: ShoalError | undefined, value?: R) => void) => Cancel,
  ): Promise<R> {
    if (this.#state !== 'connected') return Promise.reject(unavailable());
    if (signal?.aborted) return Promise.reject(cancelled(signal));
    return new Promise<R>((resolve, reject) => {
      const fail = (error: ShoalError) => settle(error);
      const settle = (error: ShoalError | undefined, value?: R) => {
        if (!this.#pending.delete(fail)) return;
        cancel();
        unlisten();
        if (error === undefined) resolve(value as R);
        else reject(error);
      };
      this.#pending.add(fail);
      const cancel = begin(settle);
      const unlisten = onAbort(signal, () => settle(cancelled(signal)));
    });
  }
}
