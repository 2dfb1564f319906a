import type { FailureReason } from '../core/sync-messages.ts';
import type { Avoided, Member } from './member.ts';

const BUSY_MS = 100;
const FIRST_MS = 500;
const MOST_MS = 30_000;
/** A host stops reading an origin by itself until a client asks anew: who asks when it is back must not wait long. */
const MOST_ORIGIN_MS = 2_000;
const ACCUSED_WITHIN_MS = 5_000;
const SUSPENDED_MS = 2_000;
/** One that fails so often in a row may only be busy. */
const BUSY_FAILURES = 2;

/** What a failure means for whom: how long the child keeps away from the parent, in ms; 0: not at all. */
function avoidMs(parent: Member | 'origin', reason: FailureReason, failures: number): number {
  if (reason === 'missing' || reason === 'store') return 0;
  if (reason === 'busy') return BUSY_MS;
  const mostMs = parent === 'origin' ? MOST_ORIGIN_MS : MOST_MS;
  return Math.min(mostMs, FIRST_MS * 2 ** Math.min(failures, 10));
}

/** Whether the child cannot get at the parent, so that the origin is leased in its place. */
function isOutOfReach(reason: FailureReason, before: Avoided | undefined): boolean {
  if (reason === 'busy') return before?.isOutOfReach ?? false;
  return reason !== 'corrupt' && (before?.failures ?? 0) >= BUSY_FAILURES;
}

/**
 * Notes that a transfer failed: the child avoids the parent for a while that doubles each time. What fails while it does
 * was begun before: transfers that fail together are one failure.
 */
export function blame(child: Member, parent: Member | 'origin', reason: FailureReason, nowMs: number): void {
  const before = child.avoided.get(parent);
  const failures = before?.failures ?? 0;
  const forMs = avoidMs(parent, reason, failures);
  if (forMs === 0) return;
  if (parent !== 'origin' && (reason === 'unreachable' || reason === 'stalled')) accuse(child, parent, nowMs);
  const isSame = before !== undefined && failures > 0 && before.untilMs > nowMs;
  if (isSame && reason !== 'busy') return;
  child.avoided.set(parent, {
    untilMs: Math.max(before?.untilMs ?? 0, nowMs + forMs),
    failures: failures + (reason === 'busy' ? 0 : 1),
    isOutOfReach: isOutOfReach(reason, before),
  });
}

/** A parent that two children cannot get at is left alone by all for a moment: the next ones need not find out. */
function accuse(child: Member, parent: Member, nowMs: number): void {
  for (const [accuser, atMs] of parent.accusers) {
    if (nowMs - atMs > ACCUSED_WITHIN_MS) parent.accusers.delete(accuser);
  }
  parent.accusers.set(child, nowMs);
  if (parent.accusers.size >= 2) parent.suspendedUntilMs = nowMs + SUSPENDED_MS;
}

/** A piece came: the child trusts the parent again. */
export function absolve(child: Member, parent: Member | 'origin'): void {
  if (child.avoided.size > 0) child.avoided.delete(parent);
  if (parent !== 'origin' && parent.accusers.size > 0) parent.accusers.delete(child);
}

/** Whether the child keeps away from the parent (or the origin) now. */
export function avoids(child: Member, parent: Member | 'origin', nowMs: number): boolean {
  return (child.avoided.get(parent)?.untilMs ?? 0) > nowMs;
}
