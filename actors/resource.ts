import { initialTransition, type SnapshotFrom, transition } from 'xstate';
import { ShoalError, type WireError } from '../core/errors.ts';
import type { HostId, TaskId } from '../core/ids.ts';
import { LIMITS } from '../core/limits.ts';
import type { Probed } from '../core/probed.ts';
import type { ResolveReply, ResolveRequest } from '../core/resolve-messages.ts';
import type { Validator } from '../core/source.ts';
import { type Answer, type ResourceEvent, resourceMachine } from '../machines/scheduler/resource.ts';

/** One request of one host, which may ask again and again until it is answered. */
interface Ask {
  /** The first flight that may answer it. */
  readonly flight: number;
  seenMs: number;
  /** What the origin said to that flight, where it refused. */
  error: WireError | undefined;
}

/** A host asks again at least this often while it waits. */
const WAIT_MS = 25;
const ASK_KEPT_MS = 5_000;
/** Content that nothing tells the version of is read anew for whoever asks: those who come within this share one read. */
const GATHER_MS = 1_000;
/** The origin's own word answers all who wait; a host that could not reach it speaks for itself. */
const SHARED = new Set(['ERR_SOURCE_NOT_FOUND', 'ERR_SOURCE_STATUS']);

const wait: ResolveReply = { status: 'wait', afterMs: WAIT_MS };
const [unknown] = initialTransition(resourceMachine);

/**
 * What one URL points to: at the scheduler that owns its partition, or at the host of those who ask for themselves. A
 * request never joins a flight that left before it came: one runs, one waits and answers all who wait, so the next
 * request after an update sees the update.
 */
export class Resource {
  /** There are many, and they do nothing by themselves: each is a state of the chart, not an actor. */
  #chart: SnapshotFrom<typeof resourceMachine> = unknown;
  readonly #asks = new Map<string, Ask>();
  usedMs = 0;

  resolve(hostId: HostId, request: ResolveRequest, nowMs: number, wallMs: number): ResolveReply {
    this.usedMs = nowMs;
    const { ask, outcome, brokenOff, maxStaleMs, whole } = request;
    if (outcome !== undefined) return this.#land(hostId, ask, outcome, { nowMs, wallMs });
    if (brokenOff !== undefined) this.#send({ type: 'stream.broke', taskId: brokenOff });
    const { answer } = this.#chart.context;
    const fits = answer !== undefined && !(whole && answer.probed.ranges);
    if (maxStaleMs > 0 && fits && nowMs - answer.atMs <= maxStaleMs) return resolved(answer);

    const { flight: before } = this.#chart.context;
    if (before !== undefined && nowMs > before.deadlineMs) this.#send({ type: 'flight.overdue' });
    const { flight, error } = this.#asked(`${hostId}.${request.incarnation}.${ask}`, nowMs);
    if (fits && answer.flight >= flight) return resolved(answer);
    if (error) return { status: 'failed', error };
    const { flight: running } = this.#chart.context;
    if (running === undefined) {
      if (!request.mayReadOrigin) return { status: 'failed', error: mayNotAsk() };
      const gatheredMs = answer === undefined || isTold(answer) ? 0 : answer.atMs + GATHER_MS - nowMs;
      if (gatheredMs > 0) return { status: 'wait', afterMs: Math.ceil(gatheredMs) };
      this.#send({ type: 'flight.left', hostId, ask, nowMs });
    } else if (running.hostId !== hostId || running.ask !== ask) return wait;
    // Else its reply was lost: it is said again.
    return askOrigin(answer);
  }

  /** What the log tells that the origin said once: it goes along with whoever is sent to ask whether that is still so. */
  recall(
    told: { readonly taskId: TaskId; readonly probed: Probed; readonly atMs: number },
    nowMs: number,
    wallMs: number,
  ): void {
    const { taskId, probed, atMs: saidMs } = told;
    const atMs = nowMs - Math.max(0, wallMs - saidMs);
    this.#send({ type: 'answer.recalled', answer: { taskId, probed, atMs, wallMs: saidMs } });
  }

  /** Whether it is this host, with this request, that asks the origin now. */
  isAsking(hostId: HostId, ask: number): boolean {
    const { flight } = this.#chart.context;
    return flight?.hostId === hostId && flight.ask === ask;
  }

  #send(event: ResourceEvent): void {
    [this.#chart] = transition(resourceMachine, this.#chart, event);
  }

  #asked(key: string, nowMs: number): Ask {
    let asked = this.#asks.get(key);
    if (asked === undefined) {
      this.forgetOld(nowMs);
      asked = { flight: this.#chart.context.flights + 1, seenMs: nowMs, error: undefined };
      this.#asks.set(key, asked);
    }
    asked.seenMs = nowMs;
    return asked;
  }

  #land(
    hostId: HostId,
    ask: number,
    outcome: NonNullable<ResolveRequest['outcome']>,
    { nowMs, wallMs }: { readonly nowMs: number; readonly wallMs: number },
  ): ResolveReply {
    if (outcome.kind === 'failed') {
      const error = outcome.error as WireError;
      const { flight } = this.#chart.context;
      this.#send({ type: 'origin.failed', hostId, ask });
      if (flight !== undefined && this.#chart.context.flight === undefined && SHARED.has(error.code)) {
        for (const waiting of this.#asks.values()) if (waiting.flight <= flight.number) waiting.error = error;
      }
      return { status: 'failed', error };
    }
    const { taskId, probed } = outcome;
    this.#send({ type: 'origin.answered', hostId, ask, answer: { taskId, probed, atMs: nowMs, wallMs } });
    return resolved(outcome);
  }

  /** Forgets who asked and asks no more. */
  forgetOld(nowMs: number): void {
    for (const [key, ask] of this.#asks) if (nowMs - ask.seenMs > ASK_KEPT_MS) this.#asks.delete(key);
  }

  /** A host is gone: whoever waits for its answer asks the origin instead. */
  lose(hostId: HostId): void {
    this.#send({ type: 'host.lost', hostId });
  }

  /** Whether an origin's answer is known. */
  get isAnswered(): boolean {
    return this.#chart.context.answer !== undefined;
  }

  /** Whether nothing is lost by forgetting it. */
  isIdle(nowMs: number): boolean {
    return this.#chart.matches({ flight: 'landed' }) && nowMs - this.usedMs > LIMITS.idleActorMs * 60;
  }
}

function resolved({ taskId, probed }: { readonly taskId: TaskId; readonly probed: Probed }): ResolveReply {
  return { status: 'resolved', taskId, probed };
}

function mayNotAsk(): WireError {
  const message = 'this host may not ask the origin, and nobody else has';
  return new ShoalError('ERR_SOURCE_FORBIDDEN', message).toWire();
}

/** What is known goes along, so that the origin need not send what has not changed. */
function askOrigin(answer: Answer | undefined): ResolveReply {
  if (answer === undefined) return { status: 'ask-origin' };
  const { taskId, probed } = answer;
  return { status: 'ask-origin', known: { taskId, probed, validator: validatorOf(answer) } };
}

function validatorOf({ probed, wallMs }: Answer): Validator {
  // A file changed twice within a second keeps its Last-Modified: it proves nothing while it is that young.
  const modifiedMs = Date.parse(probed.lastModified ?? '');
  return { etag: probed.etag, lastModified: wallMs - modifiedMs >= 2_000 ? probed.lastModified : undefined };
}

/** Whether anything tells this version from others. */
function isTold(answer: Answer): boolean {
  const { etag, lastModified } = validatorOf(answer);
  return (etag ?? lastModified) !== undefined;
}
