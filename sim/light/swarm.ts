import { parseDigest, type TaskId, taskIdOfDigest } from '../../core/ids.ts';
import { pieceCount } from '../../core/piece.ts';
import type { LeaseSet } from '../../core/sync-messages.ts';
import { SimClock } from '../clock.ts';
import { SimRandom } from '../random.ts';
import { boundMs, remainingBoundMs } from './bound.ts';
import { type LightGround, LightHost } from './host.ts';
import { Uplink } from './link.ts';
import type { SimOutcome, SimRun } from './outcome.ts';
import { planHosts, type Scene } from './scene.ts';
import { LightScheduler } from './scheduler.ts';
import type { LightContent } from './talk.ts';
import { Tally } from './tally.ts';
import type { LightSource } from './transfer.ts';

/** So many timers between two turns of the machine's own loop. */
const TURN_EVERY = 4096;
/** Whoever is not done in so many bounds and so long is given up. */
const MOST_BOUNDS = 10;
const MOST_MS = 120_000;
/** Nothing moves for so long: no progress. */
const STILL_MS = 15_000;

/** Plays a scene with light hosts on the scheduler that ships. */
export async function playLight(scene: Scene, { cpuUs, trace }: SimRun): Promise<SimOutcome> {
  const clock = new SimClock(TURN_EVERY);
  const random = new SimRandom(scene.seed);
  const tally = new Tally();
  const content = contentOf(scene, random.fork('content'));
  const bare = planHosts(scene, 0);
  const plans = planHosts(scene, boundMs(scene, bare));
  const byId = new Map<string, LightHost>();
  const taskId = taskOf(random);
  const begunUs = cpuUs();
  const scheduler = new LightScheduler({
    clock,
    random,
    scene,
    taskId,
    tally,
    cpuUs,
    onPush: (hostId: string, set: LeaseSet) => byId.get(hostId)?.push(set),
  });
  const origin: LightSource = {
    name: 'origin',
    uplink: new Uplink(clock, scene.originBytesPerSec),
    lies: false,
    isAlive: true,
    enter: () => undefined,
    leave: () => {},
  };
  const ground: LightGround = {
    clock,
    scene,
    content,
    tally,
    scheduler,
    origin,
    find: (hostId) => byId.get(hostId),
    trace: (host, what) => trace?.(clock.now(), host, what),
  };
  const hosts = plans.map((plan) => new LightHost(ground, plan, random.fork(`host-${plan.index}`)));
  let lastFaultMs = 0;
  for (const host of hosts) {
    const { arrivesMs, diesMs } = host.plan;
    byId.set(host.hostId, host);
    clock.after(arrivesMs, () => host.arrive());
    if (diesMs === undefined) continue;
    lastFaultMs = Math.max(lastFaultMs, diesMs);
    clock.after(diesMs, () => host.die());
  }
  const bound = remainingBoundMs(scene, plans);
  const lives = hosts.filter(({ plan }) => plan.diesMs === undefined);
  const endMs = MOST_BOUNDS * bound + MOST_MS;
  const isStill = () => clock.now() - Math.max(tally.movedMs, scene.arriveMs, lastFaultMs) > STILL_MS;
  let left = lives.length;
  const isOver = () => {
    while (left > 0 && lives[left - 1]?.doneMs !== undefined) left -= 1;
    return left === 0 || isStill();
  };
  await clock.run(endMs, isOver);
  return {
    scene,
    boundMs: bound,
    lastFaultMs,
    hosts: hosts.map(({ label, plan, doneMs }) => ({
      name: label,
      arrivesMs: plan.arrivesMs,
      diesMs: plan.diesMs,
      doneMs,
    })),
    originBytes: origin.uplink.sentBytes,
    wastedBytes: tally.wastedBytes,
    wastedTailBytes: tally.wastedTailBytes,
    corrupt: tally.corrupt,
    messages: { syncs: tally.syncs, pushes: tally.pushes, unanswered: tally.unanswered },
    messageBytes: tally.messageBytes,
    answerUs: tally.answerUs,
    cpuUs: cpuUs() - begunUs,
    pieces: tally.pieces,
    stoodStill: left > 0 && isStill(),
  };
}

function contentOf({ length, pieceLength }: Scene, random: SimRandom): LightContent {
  const pieces = pieceCount({ length, pieceLength });
  return {
    length,
    pieceLength,
    hashes: Array.from({ length: pieces }, () => random.bytes(32)),
    probed: { length, etag: '"content"', ranges: true, audience: 'public' },
    source: { url: 'http://origin.test/content', credentials: false },
  };
}

function taskOf(random: SimRandom): TaskId {
  const hex = Buffer.from(random.fork('digest').bytes(32)).toString('hex');
  return taskIdOfDigest(parseDigest(`sha256:${hex}`));
}
