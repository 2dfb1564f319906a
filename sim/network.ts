import type { Cancel, Clock } from '../core/clock.ts';
import { onAbort } from '../core/on-abort.ts';
import type { ProcessTime } from '../transport/memory-hub.ts';

/** A machine's place in the network: what it sends and what it receives go one after the other, each at its own rate. */
export class SimNode {
  readonly name: string;
  readonly bytesPerSec: number;
  /** Cut off: whatever is sent to it or from it is lost, and nobody is told. */
  cut = false;
  /** Its process runs; else the machine refuses at once. */
  up = true;
  sendingUntilMs = 0;
  receivingUntilMs = 0;
  /** Runs something now, or as soon as its process runs. */
  readonly take: (run: () => void) => void;

  constructor(name: string, bytesPerSec: number, process?: Pick<ProcessTime, 'take'>) {
    this.name = name;
    this.bytesPerSec = bytesPerSec;
    this.take = (run) => (process === undefined ? run() : process.take(run));
  }
}

/** What ends a stream before its end. */
export type StreamFault = 'unreachable' | 'stalled' | 'aborted';

/** Bytes on their way from one node to another. */
export interface StreamOptions {
  readonly from: SimNode;
  readonly to: SimNode;
  /** The next chunk; undefined at the end. */
  readonly pull: () => Promise<Uint8Array | undefined>;
  readonly sink: (chunk: Uint8Array) => void | Promise<void>;
  readonly signal: AbortSignal;
  /** Without a byte for this long the receiver gives up, ms. */
  readonly idleMs: number;
  /** Called once, whatever the end is. */
  readonly onClose: () => void;
}

/** Chunks of one stream between sender and receiver: enough to fill both links, and no more. */
const WINDOW = 2;

/** Links with rates and a latency; streams share a link chunk by chunk. */
export class SimNetwork {
  readonly clock: Clock;
  readonly latencyMs: number;
  readonly #streams = new Set<SimStream>();
  readonly #severed = new Set<string>();

  constructor(clock: Clock, latencyMs: number) {
    this.clock = clock;
    this.latencyMs = latencyMs;
  }

  /** A request that arrives at a machine, one that is refused since no process listens, or one that is lost. */
  request(from: SimNode, to: SimNode | undefined): 'arrives' | 'refused' | 'lost' {
    if (to === undefined) return 'refused';
    if (!this.carries(from, to)) return 'lost';
    return to.up ? 'arrives' : 'refused';
  }

  /** Loses all connections that one machine opens to another, by their names, or no longer; nobody is told. */
  sever(from: string, to: string, isSevered: boolean): void {
    if (isSevered) this.#severed.add(`${from} ${to}`);
    else this.#severed.delete(`${from} ${to}`);
  }

  /** Whether a connection that `from` opens to `to` carries anything now. */
  carries(from: SimNode, to: SimNode): boolean {
    return !from.cut && !to.cut && !this.#severed.has(`${from.name} ${to.name}`);
  }

  /** Resolves at the end of the bytes, or with what broke it. @throws what `pull` or `sink` threw */
  stream(options: StreamOptions): Promise<StreamFault | undefined> {
    return new Promise((resolve, reject) => {
      const stream = new SimStream(this, options, (outcome) => {
        this.#streams.delete(stream);
        if ('fault' in outcome) resolve(outcome.fault);
        else reject(outcome.thrown as Error);
      });
      this.#streams.add(stream);
      stream.begin();
    });
  }

  /** The node's process dies: whom it sent to is told, what it was sent goes nowhere. */
  crash(node: SimNode): void {
    node.up = false;
    for (const stream of [...this.#streams]) {
      if (stream.to === node) {
        this.#streams.delete(stream);
        stream.vanish();
      } else if (stream.from === node && !node.cut) {
        this.clock.after(this.latencyMs, () => stream.to.take(() => stream.fail('unreachable')));
      }
    }
  }
}

type Outcome = { readonly fault: StreamFault | undefined } | { readonly thrown: unknown };

class SimStream {
  readonly #network: SimNetwork;
  readonly #options: StreamOptions;
  readonly #settle: (outcome: Outcome) => void;
  #onWay = 0;
  #drained = false;
  #pulling = false;
  #open = true;
  #broken = false;
  #idle: Cancel = () => {};
  /** What came last; a receiver that was frozen finds both what came meanwhile and that time went by. */
  #arrivals = 0;
  #unlisten: Cancel = () => {};
  #delivered: Promise<void> = Promise.resolve();

  constructor(network: SimNetwork, options: StreamOptions, settle: (outcome: Outcome) => void) {
    this.#network = network;
    this.#options = options;
    this.#settle = settle;
  }

  get from(): SimNode {
    return this.#options.from;
  }

  get to(): SimNode {
    return this.#options.to;
  }

  begin(): void {
    const { signal } = this.#options;
    if (!this.to.up) return this.vanish();
    if (signal.aborted) return this.fail('aborted');
    this.#unlisten = onAbort(signal, () => this.fail('aborted'));
    this.#watch();
    this.#pump();
  }

  fail(fault: StreamFault | undefined): void {
    this.#end({ fault });
  }

  /** Nobody is left to be told. */
  vanish(): void {
    if (this.#close()) this.#options.onClose();
  }

  #end(outcome: Outcome): void {
    if (!this.#close()) return;
    this.#options.onClose();
    this.#settle(outcome);
  }

  #close(): boolean {
    if (!this.#open) return false;
    this.#open = false;
    this.#idle();
    this.#unlisten();
    return true;
  }

  #watch(): void {
    this.#idle();
    this.#arrivals += 1;
    const mine = this.#arrivals;
    const isIdle = () => {
      if (mine === this.#arrivals) this.fail('stalled');
    };
    this.#idle = this.#network.clock.after(this.#options.idleMs, () => this.to.take(isIdle));
  }

  #pump(): void {
    if (!this.#open || this.#pulling || this.#drained || this.#onWay >= WINDOW) return;
    this.#pulling = true;
    this.from.take(() => this.#pull());
  }

  #pull(): void {
    if (!this.#open) return;
    this.#options.pull().then(
      (chunk) => {
        this.#pulling = false;
        if (chunk === undefined) this.#drained = true;
        else this.#send(chunk);
        if (this.#drained && this.#onWay === 0) this.fail(undefined);
        this.#pump();
      },
      (thrown: unknown) => this.#end({ thrown }),
    );
  }

  #send(chunk: Uint8Array): void {
    const { clock, latencyMs } = this.#network;
    const { from, to } = this.#options;
    this.#onWay += 1;
    from.sendingUntilMs = Math.max(clock.now(), from.sendingUntilMs) + millis(chunk, from);
    clock.after(from.sendingUntilMs + latencyMs - clock.now(), () => {
      // A cut link loses the chunk, and with it all that follows: only the receiver's patience ends the stream.
      this.#broken ||= !this.#network.carries(to, from);
      if (!this.#open || this.#broken) return;
      to.receivingUntilMs = Math.max(clock.now(), to.receivingUntilMs) + millis(chunk, to);
      clock.after(to.receivingUntilMs - clock.now(), () => to.take(() => this.#arrive(chunk)));
    });
  }

  #arrive(chunk: Uint8Array): void {
    const { sink } = this.#options;
    if (!this.#open || this.#broken) return;
    this.#watch();
    this.#delivered = this.#delivered.then(async () => {
      if (!this.#open) return;
      await sink(chunk);
      this.#onWay -= 1;
      if (this.#drained && this.#onWay === 0) this.fail(undefined);
      this.#pump();
    });
    this.#delivered.catch((thrown: unknown) => this.#end({ thrown }));
  }
}

function millis(chunk: Uint8Array, node: SimNode): number {
  return (1000 * chunk.length) / node.bytesPerSec;
}
