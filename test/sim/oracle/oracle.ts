import { randomInt } from '../../../core/clock.ts';
import { LIMITS } from '../../../core/limits.ts';
import type { Logger } from '../../../core/logger.ts';
import type { SimContent } from '../../../sim/origin.ts';
import { SimRandom } from '../../../sim/random.ts';
import { createSimulation, type Simulation } from '../../../sim/world.ts';
import { delivered, digestOf, MIB, URL_A, wrongPieces } from '../scene.ts';
import { FAULTS, type Fault, LIVING } from './faults.ts';
import { type Asked, Stage } from './stage.ts';

/** One history, and whether it kept the promise. */
export interface Verdict {
  readonly seed: number;
  readonly faults: readonly Fault[];
  /** What was not kept, in words. */
  readonly failures: readonly string[];
  /** Time of the slowest get that a promise holds for, over what it may take. */
  readonly ratio: number;
  /** Copies of the content that left the origin since the faults began. */
  readonly copies: number;
  /** How many may; undefined where hosts cannot be held to one. */
  readonly copiesAllowed: number | undefined;
  readonly sim: Simulation;
}

/** What a get may take beside two plain downloads, ms. */
const GRACE_MS = 15_000;
/** A fault that ends does so within this time, ms. */
const LONGEST_MS = 15_000;
const LINK = 2 * MIB;

/** Who looks on. */
export interface Watching {
  readonly log?: Logger;
  /** Told the world before anything in it starts. */
  readonly onStage?: (stage: Stage) => void;
}

/** What goes wrong in the history of a seed: each kind of fault in turn, by itself or with another one at once. */
export function faultsOf(seed: number): readonly Fault[] {
  const random = new SimRandom(`oracle ${seed} faults`);
  const index = seed % FAULTS.length;
  const first = FAULTS.slice(index, index + 1);
  if (index === 0 || random.chance(0.4)) return first;
  const others = FAULTS.filter((_, at) => at !== 0 && at !== index);
  const at = randomInt(random, others.length);
  return [...first, ...others.slice(at, at + 1)];
}

/**
 * Plays the history of a seed, and judges it: whatever goes wrong, a get on a host that runs and can read the origin ends
 * with the right bytes within two plain downloads and 15 s.
 */
export async function judge(seed: number, { log, onStage }: Watching = {}): Promise<Verdict> {
  const faults = faultsOf(seed);
  const random = new SimRandom(`oracle ${seed}`);
  const originBytesPerSec = LINK * (1 + randomInt(random, 3));
  const sim = createSimulation({
    seed: `oracle ${seed}`,
    hosts: 3 + randomInt(random, 4),
    seeds: randomInt(random, 2),
    linkBytesPerSec: LINK,
    originBytesPerSec,
    latencyMs: 1 + randomInt(random, 5),
    ...(log === undefined ? {} : { log }),
  });
  const content = sim.publish(URL_A, 3 * MIB + 1 + randomInt(random, 2 * MIB));
  const plainMs = (1_000 * content.bytes.length) / LINK;
  const holders = random.chance(0.5) ? sim.hosts.slice(-1 - randomInt(random, 2)) : [];
  const wanting = sim.hosts.filter((host) => !holders.includes(host));
  const request = random.chance(0.5) ? { resource: URL_A } : { resource: URL_A, digest: digestOf(content) };
  const stage = new Stage({ sim, random, holders, wanting, plainMs, request });
  onStage?.(stage);
  const boundMs = 2 * plainMs + GRACE_MS;
  const took = ({ get, sinceMs }: Asked) => ((get.endedMs ?? sim.clock.now()) - sinceMs) / boundMs;

  for (const { before } of faults) before?.(stage);
  sim.start();
  await sim.run(2_000 + random.next() * 1_000);
  for (const host of holders) stage.ask(host);
  await sim.run(boundMs, () => stage.isOver);
  await sim.run(holders.length > 0 ? random.next() * 3_000 : 0);
  const { bodyBytes, probedBytes } = sim.origin;
  for (const { during } of faults) during?.(stage);
  const togetherMs = random.chance(0.8) ? 500 : 1.5 * plainMs;
  for (const host of wanting) sim.at(random.next() * togetherMs, () => stage.ask(host));
  await sim.run(togetherMs);
  await sim.run(boundMs + LONGEST_MS, () => stage.isOver || stage.owed.some((asked) => took(asked) > 1));

  const probed = sim.origin.probedBytes - probedBytes;
  // Content is small here: the first MiB, which comes with the answer to each who asks what there is, is counted once.
  const readBytes = sim.origin.bodyBytes - bodyBytes - Math.max(0, probed - LIMITS.resolveBytes);
  const copies = readBytes / content.bytes.length;
  const failures = [...(await unkept(stage, content, took)), ...(await wrong(sim, content))];
  return {
    seed,
    faults,
    failures,
    copies,
    copiesAllowed: copiesAllowed(faults, stage, content.bytes.length),
    ratio: Math.max(...stage.owed.map(took)),
    sim,
  };
}

async function unkept(stage: Stage, content: SimContent, took: (asked: Asked) => number): Promise<string[]> {
  const failures: string[] = [];
  for (const asked of stage.owed) {
    const { get } = asked;
    const { name } = get.host;
    const tells = `${get.error?.code ?? ''} ${get.error?.message ?? ''}`.trim();
    if (get.state === 'running') failures.push(`${name} hangs`);
    else if (get.state !== 'done') failures.push(`${name} ${get.state} ${tells}`);
    else if (!(await delivered(get, content))) failures.push(`${name} was given wrong bytes`);
    else if (took(asked) > 1) failures.push(`${name} took ${took(asked).toFixed(2)} of what it may`);
  }
  return failures;
}

async function wrong(sim: Simulation, content: SimContent): Promise<string[]> {
  const failures: string[] = [];
  for (const host of sim.hosts) {
    const pieces = await wrongPieces(host, content);
    if (pieces.length > 0) failures.push(`${host.name} keeps ${pieces.length} wrong pieces`);
  }
  return failures;
}

/** Whether more copies left the origin than may. */
export function isWasteful({ copies, copiesAllowed }: Pick<Verdict, 'copies' | 'copiesAllowed'>): boolean {
  return copiesAllowed !== undefined && copies > copiesAllowed;
}

/** Copies that a history may take at most: a host that came first may be lost with most of what was read. */
function copiesAllowed(
  faults: readonly Fault[],
  { sim, lostBytes, request: { digest } }: Stage,
  length: number,
): number | undefined {
  const most = Math.max(...faults.map(({ copies }) => copies ?? Number.POSITIVE_INFINITY));
  if (!Number.isFinite(most)) return undefined;
  const hosts = sim.hosts.length;
  const renewals = faults.filter(({ renews }) => renews).length;
  const isPlain = digest === undefined;
  // Two that each take a scheduler away can leave none for as long as where it is lost.
  const silences = faults.filter(({ mute }) => mute).length + (renewals > 1 ? 1 : 0);
  const untold = isPlain ? silences * 2 * LIMITS.originLeasesPerTask : 0;
  const proofs = isPlain && faults.some(({ doubts }) => doubts) ? hosts * (hosts - 1) : 0;
  const anew = (renewals * hosts + untold + proofs) * LIMITS.pieceMinBytes;
  return Math.max(most, LIVING + lostBytes / length) + anew / length;
}
