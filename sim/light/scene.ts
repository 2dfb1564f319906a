import { pieceLengthFor } from '../../core/piece.ts';
import { SimRandom } from '../random.ts';

/** What is simulated: a crowd of hosts that want the same content. Rates are in bytes a second, shares from 0 to 1. */
export interface Scene {
  readonly seed: number;
  readonly hosts: number;
  /** The first so many hosts are seeds. */
  readonly seeds: number;
  readonly upBytesPerSec: number;
  readonly downBytesPerSec: number;
  readonly originBytesPerSec: number;
  /** Hosts are dealt out to so many zones in turn; 1: there are none. */
  readonly zones: number;
  /** One way: inside a zone and to scheduler and origin, and between hosts of two zones. */
  readonly latencyMs: number;
  readonly farLatencyMs: number;
  readonly length: number;
  readonly pieceLength: number;
  /** Hosts come at random within this time. */
  readonly arriveMs: number;
  /** So many of the hosts have this part of the uplink. */
  readonly slowShare: number;
  readonly slowPart: number;
  /** So many end for good, at random within one bound; so many give wrong bytes to whoever asks them. */
  readonly dieShare: number;
  readonly lieShare: number;
  readonly slotsUp: number;
  readonly slotsDown: number;
  /** What a sync costs the scheduler's one core; 0: nothing. */
  readonly serviceMs: number;
}

/** What one host of a scene is, as the seed has it. */
export interface HostPlan {
  readonly index: number;
  readonly role: 'seed' | 'normal';
  readonly zone: number;
  readonly upBytesPerSec: number;
  readonly downBytesPerSec: number;
  readonly arrivesMs: number;
  readonly diesMs: number | undefined;
  readonly lies: boolean;
}

/** What is simulated where nothing else is said. */
export const DEFAULT_SCENE = {
  seed: 1,
  hosts: 100,
  seeds: 0,
  upBytesPerSec: 12_500_000,
  zones: 1,
  latencyMs: 1,
  length: 256 * 1024 * 1024,
  arriveMs: 0,
  slowShare: 0,
  slowPart: 0.25,
  dieShare: 0,
  lieShare: 0,
  slotsUp: 16,
  slotsDown: 24,
  serviceMs: 0,
} as const;

/** A whole scene of what was said of it: the downlink and the origin are as fast as the uplink unless said. */
export function sceneOf(said: Partial<Scene>): Scene {
  const scene = { ...DEFAULT_SCENE, ...said };
  const { upBytesPerSec, latencyMs, length } = scene;
  return {
    downBytesPerSec: upBytesPerSec,
    originBytesPerSec: upBytesPerSec,
    farLatencyMs: latencyMs,
    pieceLength: pieceLengthFor(length),
    ...scene,
  };
}

/** The hosts of a scene; those that die do so within `spanMs` of their arrival. One host at least is left as it was. */
export function planHosts(scene: Scene, spanMs: number): HostPlan[] {
  const random = new SimRandom(scene.seed).fork('plan');
  const { hosts } = scene;
  const slow = chosen(random, hosts, scene.slowShare);
  // Who dies and who lies are others, so that each share is what it says; the last in line is spared.
  const fallen = shuffled(random, hosts).slice(0, Math.max(0, hosts - 1));
  const dying = Math.min(fallen.length, Math.round(hosts * scene.dieShare));
  const dies = new Set(fallen.slice(0, dying));
  const lies = new Set(fallen.slice(dying, dying + Math.round(hosts * scene.lieShare)));
  return Array.from({ length: hosts }, (_, index) => {
    const arrivesMs = random.next() * scene.arriveMs;
    const diesMs = arrivesMs + random.next() * spanMs;
    return {
      index,
      role: index < scene.seeds ? 'seed' : 'normal',
      zone: index % scene.zones,
      upBytesPerSec: scene.upBytesPerSec * (slow.has(index) ? scene.slowPart : 1),
      downBytesPerSec: scene.downBytesPerSec,
      arrivesMs,
      diesMs: dies.has(index) ? diesMs : undefined,
      lies: lies.has(index),
    };
  });
}

function chosen(random: SimRandom, count: number, share: number): Set<number> {
  return new Set(shuffled(random, count).slice(0, Math.round(count * share)));
}

/** @see Fisher, Yates: the numbers below `count` in an order in which each is as likely as any other */
function shuffled(random: SimRandom, count: number): number[] {
  const numbers = Array.from({ length: count }, (_, index) => index);
  for (let at = count - 1; at > 0; at -= 1) {
    const other = Math.floor(random.next() * (at + 1));
    const [one = 0, two = 0] = [numbers[at], numbers[other]];
    numbers[at] = two;
    numbers[other] = one;
  }
  return numbers;
}
