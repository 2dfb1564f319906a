import type { HostPlan, Scene } from './scene.ts';

/**
 * No schedule is faster than this, ms: `max(size / origin, size / slowest downlink, N * size / (origin + sum of uplinks))`.
 * The first byte to the last leaves the origin once; each host takes all of it over its own link; and all that comes was sent
 * by somebody. @see Mundinger, Weber, Weiss, Optimal scheduling of peer-to-peer file dissemination (2008), the fluid limit
 */
export function boundMs(
  { length, originBytesPerSec }: Pick<Scene, 'length' | 'originBytesPerSec'>,
  hosts: readonly Pick<HostPlan, 'upBytesPerSec' | 'downBytesPerSec'>[],
): number {
  if (hosts.length === 0) return 0;
  let sending = originBytesPerSec;
  let slowest = Number.POSITIVE_INFINITY;
  for (const { upBytesPerSec, downBytesPerSec } of hosts) {
    sending += upBytesPerSec;
    slowest = Math.min(slowest, downBytesPerSec);
  }
  return 1000 * Math.max(length / originBytesPerSec, length / slowest, (hosts.length * length) / sending);
}

/**
 * The bound of those who are left, beside what the last of them to come needs alone, ms since the start: what is measured is
 * put in relation to this. Uplinks of hosts that die count for nothing, though they gave something before.
 */
export function remainingBoundMs(scene: Scene, plans: readonly HostPlan[]): number {
  const left = plans.filter(({ diesMs }) => diesMs === undefined);
  const alone = left.map(
    ({ arrivesMs, downBytesPerSec }) => arrivesMs + (1000 * scene.length) / downBytesPerSec,
  );
  return alone.reduce((most, ms) => Math.max(most, ms), boundMs(scene, left));
}
