import { ShoalError, type WireError } from '../../../core/errors.ts';
import type { HostId, TaskId } from '../../../core/ids.ts';
import { LIMITS } from '../../../core/limits.ts';
import type { Probed } from '../../../core/probed.ts';
import type { ResolveReply, ResolveRequest } from '../../../core/resolve-messages.ts';

/** What the origin said last, and when. */
interface Answer {
  readonly taskId: TaskId;
  readonly probed: Probed;
  readonly atMs: number;
  readonly wallMs: number;
}

/** One host asking the origin; it answers whoever asked before it started. */
interface Flight {
  readonly number: number;
  readonly hostId: HostId;
  readonly ask: number;
  deadlineMs: number;
}

interface Ask {
  /** The first flight that may answer it. */
  readonly flight: number;
  seenMs: number;
}

/** How long an asked host may take before another is asked instead. */
const FLIGHT_MS = 15_000;
/** A host asks again at least this often while it waits. */
const WAIT_MS = 25;
const ASK_KEPT_MS = 5_000;

/**
 * What one URL points to, at the scheduler that owns its partition. A request never joins a flight that left
 * before it came: one runs, one waits and answers all who wait, so the next request after an update sees the update.
 */
export class Resource {
  #answer: (Answer & { readonly flight: number }) | undefined;
  /** A task that nobody can give to its end, and that no second read can go on with. */
  #brokenOff: TaskId | undefined;
  #failure: { readonly error: WireError; readonly flight: number } | undefined;
  #flight: Flight | undefined;
  #flights = 0;
  readonly #asks = new Map<string, Ask>();
  usedMs = 0;

  resolve(hostId: HostId, request: ResolveRequest, nowMs: number, wallMs: number): ResolveReply {
    this.usedMs = nowMs;
    const key = `${hostId}.${request.incarnation}.${request.ask}`;
    if (request.outcome !== undefined) return this.#land(hostId, request, nowMs, wallMs);
    if (request.brokenOff !== undefined) this.#breakOff(request.brokenOff);
    const { maxStaleMs } = request;
    if (maxStaleMs > 0 && this.#answer && nowMs - this.#answer.atMs <= maxStaleMs) {
      return this.#resolved(this.#answer);
    }

    if (this.#flight !== undefined && nowMs > this.#flight.deadlineMs) this.#flight = undefined;
    let ask = this.#asks.get(key);
    if (ask === undefined) {
      this.#forgetOld(nowMs);
      ask = { flight: this.#flights + 1, seenMs: nowMs };
      this.#asks.set(key, ask);
    }
    ask.seenMs = nowMs;

    if (this.#answer && this.#answer.flight >= ask.flight) return this.#resolved(this.#answer);
    if (this.#failure && this.#failure.flight >= ask.flight) {
      return { status: 'failed', error: this.#failure.error };
    }
    if (this.#flight?.hostId === hostId && this.#flight.ask === request.ask) {
      // Its reply was lost: say it again.
      return this.#askOrigin();
    }
    if (this.#flight !== undefined) return { status: 'wait', afterMs: WAIT_MS };
    if (!request.mayReadOrigin) {
      const error = new ShoalError(
        'ERR_SOURCE_FORBIDDEN',
        'this host may not ask the origin, and nobody else has',
      );
      return { status: 'failed', error: error.toWire() };
    }
    this.#flights += 1;
    this.#flight = { number: this.#flights, hostId, ask: request.ask, deadlineMs: nowMs + FLIGHT_MS };
    return this.#askOrigin();
  }

  #askOrigin(): ResolveReply {
    if (this.#answer === undefined) return { status: 'ask-origin' };
    const { taskId, probed, wallMs } = this.#answer;
    const { length, etag } = probed;
    // A file changed twice within a second keeps its Last-Modified: it proves nothing while it is that young.
    const modifiedMs = Date.parse(probed.lastModified ?? '');
    const lastModified = wallMs - modifiedMs >= 2_000 ? probed.lastModified : undefined;
    if (etag === undefined && lastModified === undefined) return { status: 'ask-origin' };
    return { status: 'ask-origin', known: { taskId, length, etag, lastModified } };
  }

  /** Where a strong validator tells that the rest is of the same content, nothing is lost by a break. */
  #breakOff(taskId: TaskId): void {
    if (this.#answer?.taskId !== taskId || this.#answer.probed.etag !== undefined) return;
    this.#brokenOff = taskId;
    this.#answer = undefined;
  }

  #land(hostId: HostId, request: ResolveRequest, nowMs: number, wallMs: number): ResolveReply {
    const { outcome } = request;
    const flight = this.#flight;
    if (outcome === undefined) return { status: 'wait', afterMs: WAIT_MS };
    const mine = flight?.hostId === hostId && flight.ask === request.ask;
    if (mine) this.#flight = undefined;
    if (outcome.kind === 'failed') {
      // Only the origin's own word answers the others; a host that could not reach it speaks for itself.
      const shared =
        outcome.error.code === 'ERR_SOURCE_NOT_FOUND' || outcome.error.code === 'ERR_SOURCE_STATUS';
      if (mine && shared) this.#failure = { error: outcome.error as WireError, flight: flight.number };
      return { status: 'failed', error: outcome.error };
    }
    const { taskId, probed } = outcome;
    if (taskId === this.#brokenOff) return { status: 'resolved', taskId, probed };
    if (mine) this.#answer = { taskId, probed, atMs: nowMs, wallMs, flight: flight.number };
    // A flight given up left before all who wait now: it answers none of them.
    else this.#answer ??= { taskId, probed, atMs: nowMs, wallMs, flight: 0 };
    return { status: 'resolved', taskId, probed };
  }

  #resolved({ taskId, probed }: Answer): ResolveReply {
    return { status: 'resolved', taskId, probed };
  }

  #forgetOld(nowMs: number): void {
    for (const [key, ask] of this.#asks) if (nowMs - ask.seenMs > ASK_KEPT_MS) this.#asks.delete(key);
  }

  /** A host is gone: whoever waits for its answer asks the origin instead. */
  lose(hostId: HostId): void {
    if (this.#flight?.hostId === hostId) this.#flight = undefined;
  }

  /** Whether nothing is lost by forgetting it. */
  isIdle(nowMs: number): boolean {
    return this.#flight === undefined && nowMs - this.usedMs > LIMITS.idleActorMs * 60;
  }
}
