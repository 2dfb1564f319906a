import { type Clock, sleep } from '../../../core/clock.ts';
import { type ErrorCode, ShoalError, toShoalError } from '../../../core/errors.ts';
import {
  type FetchItem,
  type FetchOrder,
  type FetchReply,
  ORDER_STATES,
  pageOf,
} from '../../../core/fetch-messages.ts';
import type { HostId } from '../../../core/ids.ts';
import type { Bus } from '../../../transport/bus.ts';
import { SUBJECTS } from '../../../transport/subjects.ts';

/** What one host is ordered to fetch. */
export interface HostOrder {
  readonly jobId: string;
  readonly hostId: HostId;
  readonly items: readonly FetchItem[];
  /** What else is said of the order. */
  readonly terms: Pick<FetchOrder, 'verb' | 'priority' | 'keepUntilMs' | 'lent'>;
  /** How often it is asked, ms. */
  readonly everyMs: number;
}

/** Why one item is not there. */
export interface ItemFailure {
  readonly resource: string;
  readonly code: string;
  readonly message: string;
}

/** How an order ended on its host. */
export interface HostOutcome {
  readonly hostId: string;
  readonly state: 'done' | 'failed';
  readonly items: number;
  readonly done: number;
  readonly failed: number;
  /** Bytes of the items whose length is known. */
  readonly length: number;
  readonly doneBytes: number;
  readonly bytes: FetchReply['bytes'];
  readonly durationMs: number;
  readonly errors: readonly ItemFailure[];
  /** Why the order itself came to nothing. */
  readonly error?: { readonly code: ErrorCode; readonly message: string };
}

const ANSWER_MS = 3_000;
const AGAIN_MS = 500;
/** A host that says nothing for this time is given up. */
const SILENT_MS = 30_000;
/** A host that is sent items and does not know more for so many answers is given up. */
const IDLE_ANSWERS = 20;
const ERRORS_TOLD = 3;

/** No answer, which may be another's to the next question. */
const SILENCE: ReadonlySet<ErrorCode> = new Set([
  'ERR_BUS_TIMEOUT',
  'ERR_BUS_NO_RESPONDERS',
  'ERR_BUS_UNAVAILABLE',
]);

/**
 * Gives a host its order and follows it: what gets lost is sent again, a daemon that is born again is told again.
 * What goes wrong is the outcome. @throws the signal's reason
 */
export async function followOrder(
  world: { readonly bus: Bus; readonly clock: Clock },
  order: HostOrder,
  onReply: (reply: FetchReply) => void,
  signal: AbortSignal,
): Promise<HostOutcome> {
  const { clock } = world;
  const begunMs = clock.now();
  const total = order.items.length;
  const conversation = new Conversation(world, order, onReply, signal);
  const outcome = (state: HostOutcome['state'], rest: Partial<HostOutcome> = {}): HostOutcome => {
    const { done = 0, failed = 0, length = 0, doneBytes = 0, bytes = NO_BYTES } = conversation.last ?? {};
    const durationMs = Math.round(clock.now() - begunMs);
    return {
      ...{ hostId: order.hostId, state, items: total, done, failed, length, doneBytes, bytes, durationMs },
      errors: [],
      ...rest,
    };
  };
  try {
    for (;;) {
      const reply = await conversation.tell();
      if (reply.done + reply.failed >= total) {
        if (reply.failed === 0) return outcome('done');
        return outcome('failed', { errors: await conversation.failures() });
      }
      await sleep(clock, order.everyMs, signal);
    }
  } catch (thrown) {
    signal.throwIfAborted();
    const { code, message } = toShoalError(thrown);
    return outcome('failed', { error: { code, message } });
  }
}

const NO_BYTES = { origin: 0, peers: 0, local: 0 };

/** Questions to one host and its answers. */
class Conversation {
  last: FetchReply | undefined;
  readonly #world: { readonly bus: Bus; readonly clock: Clock };
  readonly #order: HostOrder;
  readonly #onReply: (reply: FetchReply) => void;
  readonly #signal: AbortSignal;
  #known = 0;

  constructor(
    world: { readonly bus: Bus; readonly clock: Clock },
    order: HostOrder,
    onReply: (reply: FetchReply) => void,
    signal: AbortSignal,
  ) {
    this.#world = world;
    this.#order = order;
    this.#onReply = onReply;
    this.#signal = signal;
  }

  /** Sends what the host does not know, until it knows all. */
  async tell(): Promise<FetchReply> {
    const total = this.#order.items.length;
    for (let idle = 0; idle < IDLE_ANSWERS; ) {
      const before = this.#known;
      const reply = await this.#ask(pageOf(this.#order.items, before));
      this.#known = Math.min(total, reply.known);
      this.last = reply;
      this.#onReply(reply);
      if (this.#known === total) return reply;
      idle = this.#known > before ? 0 : idle + 1;
    }
    throw new ShoalError('ERR_BUS_MESSAGE_INVALID', 'the host takes no more of what it is sent');
  }

  /** The first failures, in the order of the items. */
  async failures(): Promise<ItemFailure[]> {
    const { items } = this.#order;
    const found: ItemFailure[] = [];
    for (let from = 0; from < items.length && found.length < ERRORS_TOLD; from += ORDER_STATES) {
      const { states } = await this.#ask([], from);
      for (const [index, { error }] of states.entries()) {
        const resource = items[from + index]?.resource;
        if (error === undefined || resource === undefined) continue;
        found.push({ resource, code: error.code, message: error.message });
      }
    }
    return found.slice(0, ERRORS_TOLD);
  }

  /** @throws ERR_BUS_TIMEOUT where the host is silent for long, what it answers, the signal's reason */
  async #ask(items: FetchItem[], statesFrom?: number): Promise<FetchReply> {
    const { bus, clock } = this.#world;
    const { jobId, hostId } = this.#order;
    const { terms } = this.#order;
    const order = { ...terms, jobId, total: this.#order.items.length, from: this.#known, items };
    const question = statesFrom === undefined ? order : { ...order, statesFrom };
    const begunMs = clock.now();
    for (;;) {
      this.#signal.throwIfAborted();
      try {
        const within = { timeoutMs: ANSWER_MS, signal: this.#signal };
        return await bus.request(SUBJECTS.fetch, { hostId, sender: bus.name }, question, within);
      } catch (thrown) {
        const error = toShoalError(thrown);
        if (!SILENCE.has(error.code)) throw error;
        if (clock.now() - begunMs > SILENT_MS) {
          const cause = { cause: error };
          throw new ShoalError(
            'ERR_BUS_TIMEOUT',
            `the host has not answered for ${SILENT_MS / 1000} s`,
            cause,
          );
        }
        await sleep(clock, AGAIN_MS, this.#signal);
      }
    }
  }
}

/**
 * Tells a host that nothing of an order goes on, or is kept: `over` for good, else until it comes anew.
 * @throws ERR_BUS_* where it does not answer
 */
export async function endOrder(
  bus: Bus,
  order: { jobId: string; hostId: HostId; over: boolean },
): Promise<void> {
  const { jobId, hostId, over } = order;
  const ending = over ? { end: true as const } : { keepUntilMs: 0 };
  const message: FetchOrder = { jobId, total: 1, from: 0, items: [], ...ending };
  await bus.request(SUBJECTS.fetch, { hostId, sender: bus.name }, message, { timeoutMs: ANSWER_MS });
}
