import type { SimOutcome } from './outcome.ts';

/** Bytes that may come twice before the last part of a content, as a share of all: what a transfer in doubt costs. */
const MOST_WASTED = 0.01;
/** More of the origin than one copy: what was asked for twice at the start, and what nobody has any more. */
const MOST_COPIES = 1.05;
/** A host that lives has all within so many bounds after the last fault, and the time in which a host that died is missed. */
const MOST_BOUNDS = 1.5;
const MISSED_MS = 10_000;

/** What of a simulation is not as it must be, in words; nothing where all holds. */
export function brokenRules(outcome: SimOutcome): string[] {
  const { scene, hosts, boundMs, lastFaultMs, originBytes, wastedBytes, stoodStill } = outcome;
  const broken: string[] = [];
  if (stoodStill) broken.push('progress: nothing moved for a long time');
  const all = scene.length * hosts.length;
  if (wastedBytes > MOST_WASTED * all) {
    broken.push(`no piece twice: ${percent(wastedBytes / all)} of the bytes came twice before the end`);
  }
  const copies = originBytes / scene.length;
  // What those who died alone held, and what liars gave, has to be read again.
  const allowed = MOST_COPIES + scene.dieShare + scene.lieShare;
  if (copies > allowed)
    broken.push(`copies: the origin gave ${copies.toFixed(3)}, allowed ${allowed.toFixed(2)}`);
  const latestMs = lastFaultMs + MOST_BOUNDS * boundMs + MISSED_MS;
  const late = hosts.filter(
    ({ diesMs, doneMs }) => diesMs === undefined && (doneMs ?? Number.POSITIVE_INFINITY) > latestMs,
  );
  if (late.length > 0) {
    broken.push(
      `in time: ${late.length} of the hosts that live are not done ${MOST_BOUNDS} bounds after the last fault`,
    );
  }
  return broken;
}

function percent(share: number): string {
  return `${(100 * share).toFixed(1)} %`;
}
