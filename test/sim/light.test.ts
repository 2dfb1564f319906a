import { describe, expect, test } from 'vitest';
import { boundMs, remainingBoundMs } from '../../sim/light/bound.ts';
import { brokenRules } from '../../sim/light/oracles.ts';
import type { SimOutcome } from '../../sim/light/outcome.ts';
import { planHosts, type Scene, sceneOf } from '../../sim/light/scene.ts';
import { summaryOf } from '../../sim/light/summary.ts';
import { playLight } from '../../sim/light/swarm.ts';

const MIB = 1024 * 1024;
const SMALL: Partial<Scene> = { hosts: 8, length: 16 * MIB, upBytesPerSec: 6_250_000 };

function play(said: Partial<Scene>): Promise<SimOutcome> {
  return playLight(sceneOf({ ...SMALL, ...said }), { cpuUs: () => 0 });
}

describe('a crowd of light hosts on the scheduler that ships', () => {
  test('all get all, the origin is read once, and the last is near the bound', async () => {
    const outcome = await play({ length: 64 * MIB });
    const summary = summaryOf(outcome);
    expect(summary).toMatchObject({ lived: 8, done: 8, copies: 1, twice: 0, corrupt: 0, broken: [] });
    expect(summary.ofBound).toBeGreaterThan(0.85);
    expect(summary.ofBound).toBeLessThanOrEqual(1);
  });

  test('a seed is the same history each time, another seed another', async () => {
    const [one, again, other] = await Promise.all([play({ seed: 3 }), play({ seed: 3 }), play({ seed: 4 })]);
    expect(again).toEqual(one);
    expect(other.hosts).not.toEqual(one.hosts);
  });

  test.each([
    ['as they are', {}],
    ['in zones far apart, one after the other', { zones: 2, farLatencyMs: 20, arriveMs: 3_000 }],
    ['half of them with a quarter of the uplink', { slowShare: 0.5 }],
    ['a fifth of them dying', { dieShare: 0.2, hosts: 10 }],
    ['one in ten lying', { lieShare: 0.1, hosts: 10 }],
    ['with a scheduler that has much to do', { serviceMs: 2, hosts: 20 }],
  ] as const)('no rule is broken: %s', async (_, said) => {
    for (let seed = 1; seed <= 5; seed += 1) {
      const outcome = await play({ ...said, seed });
      expect(brokenRules(outcome), `seed ${seed}`).toEqual([]);
      const { lived, done } = summaryOf(outcome);
      expect(done).toBe(lived);
    }
  });

  test('hosts that give wrong bytes are found out, and those who died are not waited for', async () => {
    const lying = summaryOf(await play({ lieShare: 0.25 }));
    expect(lying.corrupt).toBeGreaterThan(0);
    const dying = await play({ dieShare: 0.5 });
    expect(dying.hosts.filter(({ diesMs }) => diesMs !== undefined)).toHaveLength(4);
    expect(summaryOf(dying)).toMatchObject({ lived: 4, done: 4 });
  });
});

describe('the bound', () => {
  const host = { upBytesPerSec: 10, downBytesPerSec: 10, diesMs: undefined, arrivesMs: 0 };

  test('is what the slowest of origin, downlinks and all uplinks together take', () => {
    expect(boundMs({ length: 100, originBytesPerSec: 5 }, [host])).toBe(20_000);
    expect(boundMs({ length: 100, originBytesPerSec: 50 }, [host])).toBe(10_000);
    const slow = { upBytesPerSec: 1, downBytesPerSec: 100 };
    expect(boundMs({ length: 100, originBytesPerSec: 10 }, [slow, slow, slow])).toBeCloseTo(300_000 / 13);
    expect(boundMs({ length: 100, originBytesPerSec: 10 }, [])).toBe(0);
  });

  test('of those who are left begins when the last of them comes', () => {
    const scene = sceneOf({ hosts: 2, length: 100, upBytesPerSec: 10 });
    const plans = planHosts(scene, 0).map((plan, at) => ({ ...plan, arrivesMs: 5_000 * at }));
    expect(remainingBoundMs(scene, plans)).toBe(15_000);
    expect(
      remainingBoundMs(
        scene,
        plans.map((plan, at) => ({ ...plan, ...(at === 1 && { diesMs: 1 }) })),
      ),
    ).toBe(10_000);
  });
});

describe('the rules', () => {
  const scene = sceneOf({ hosts: 2, length: 1000 });
  const host = { name: 'host-0', arrivesMs: 0, diesMs: undefined, doneMs: 100 };
  const fine: SimOutcome = {
    scene,
    boundMs: 100,
    lastFaultMs: 0,
    hosts: [host, host],
    originBytes: 1000,
    wastedBytes: 0,
    wastedTailBytes: 0,
    corrupt: 0,
    messages: { syncs: 1, pushes: 0, unanswered: 0 },
    messageBytes: 0,
    answerUs: 0,
    cpuUs: 0,
    pieces: 2,
    stoodStill: false,
  };

  test.each([
    ['progress', { stoodStill: true }],
    ['no piece twice', { wastedBytes: 21 }],
    ['copies', { originBytes: 1051 }],
    ['in time', { hosts: [host, { ...host, doneMs: 10_151 }] }],
    ['in time', { hosts: [host, { ...host, doneMs: undefined }] }],
  ])('%s: what breaks it is told', (rule, broken) => {
    expect(brokenRules(fine)).toEqual([]);
    expect(brokenRules({ ...fine, ...broken })).toEqual([expect.stringContaining(rule)]);
  });

  test('a host that died need not be done; what it alone held is read again', () => {
    const died = { ...host, diesMs: 50, doneMs: undefined };
    const dying = { ...scene, dieShare: 0.5 };
    expect(brokenRules({ ...fine, scene: dying, hosts: [host, died], originBytes: 1500 })).toEqual([]);
  });
});

describe('the hosts of a scene', () => {
  test('those that die and those that lie are others, in the shares that were said; one is spared', () => {
    const plans = planHosts(sceneOf({ hosts: 10, dieShare: 0.6, lieShare: 0.6 }), 1000);
    expect(plans.filter(({ diesMs }) => diesMs !== undefined)).toHaveLength(6);
    expect(plans.filter(({ lies }) => lies)).toHaveLength(3);
    expect(plans.filter(({ diesMs, lies }) => diesMs !== undefined && lies)).toEqual([]);
    expect(planHosts(sceneOf({ hosts: 1, dieShare: 1, lieShare: 1 }), 1000)[0]).toMatchObject({
      diesMs: undefined,
      lies: false,
    });
  });
});
