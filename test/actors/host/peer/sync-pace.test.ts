import { describe, expect, test } from 'vitest';
import { SyncPace } from '../../../../actors/host/peer/sync-pace.ts';
import { LIMITS } from '../../../../core/limits.ts';

function working(peers: number): { pace: SyncPace; peers: object[] } {
  const pace = new SyncPace();
  const made = Array.from({ length: peers }, () => ({}));
  for (const peer of made) pace.works(peer, true);
  return { pace, peers: made };
}

describe('how often the peers of a host sync', () => {
  test('is what the scheduler asks while there are few', () => {
    expect(working(0).pace.gapMs(50)).toBe(50);
    expect(working(3).pace.gapMs(50)).toBe(50);
    expect(working(12).pace.gapMs(2_000)).toBe(2_000);
  });

  test('is less the more there are, so that the host sends about as many', () => {
    for (const peers of [4, 12, 40]) {
      expect(working(peers).pace.gapMs(50)).toBe(peers * LIMITS.syncPerTaskMs);
    }
  });

  test('is often enough that no scheduler holds a peer for silent', () => {
    expect(working(100_000).pace.gapMs(50)).toBeLessThan(LIMITS.adriftAfterMs / 2);
  });

  test('is less still where there is nothing to tell, but for a host with few tasks', () => {
    expect(working(1).pace.restMs(50)).toBe(50);
    expect(working(40).pace.restMs(50)).toBe(40 * LIMITS.syncRestPerTaskMs);
    expect(working(40).pace.restMs(5_000)).toBe(5_000);
    const { pace } = working(100_000);
    expect(pace.restMs(50)).toBeGreaterThan(pace.gapMs(50));
    expect(pace.restMs(50) + LIMITS.syncTimeoutMs).toBeLessThanOrEqual(LIMITS.adriftAfterMs);
  });

  test('counts each peer once, and only while it fetches', () => {
    const { pace, peers } = working(10);
    const [first = {}, ...others] = peers;
    pace.works(first, true);
    expect(pace.gapMs(0)).toBe(10 * LIMITS.syncPerTaskMs);
    for (const peer of others) pace.works(peer, false);
    expect(pace.gapMs(0)).toBe(LIMITS.syncPerTaskMs);
  });
});
