import { randomInt } from '../../core/clock.ts';
import type { SimGet, SimHost } from '../../sim/host.ts';
import type { SimContent } from '../../sim/origin.ts';
import { SimRandom } from '../../sim/random.ts';
import { createSimulation, type Simulation } from '../../sim/world.ts';
import { delivered, digestOf, MIB, URL_A, wrongPieces } from './scene.ts';

/** What goes wrong beside the messages that are lost, doubled, delayed and overtaken. */
export const TROUBLES = [
  'messages',
  'hosts crash',
  'scheduler restarts',
  'scheduler dies',
  'nats is cut',
  'links are cut',
  'a host lies',
] as const;
export type Trouble = (typeof TROUBLES)[number];

/** One history and what it came to. */
export interface ChaosRun {
  readonly sim: Simulation;
  readonly content: SimContent;
  readonly gets: readonly SimGet[];
  /** Gets that did not end well, in words. */
  readonly failures: readonly string[];
  readonly copies: number;
  readonly wrong: number;
  readonly endedMs: number;
}

const HOSTS = 7;
const LIMIT_MS = 120_000;

/** Runs one download of all hosts with trouble drawn from the seed. */
export async function runChaos(seed: number, trouble: Trouble, quiet = false): Promise<ChaosRun> {
  const random = new SimRandom(`chaos ${seed}`);
  const sim = createSimulation({
    seed,
    hosts: HOSTS,
    seeds: randomInt(random, 2),
    linkBytesPerSec: 1 * MIB,
    latencyMs: 1 + randomInt(random, 5),
  });
  const content = sim.publish(URL_A, 2 * MIB + 1 + randomInt(random, MIB));
  if (!quiet) {
    sim.faults.drop = random.next() * 0.1;
    sim.faults.duplicate = random.next() * 0.1;
    sim.faults.delay = random.next() * 0.2;
    sim.faults.delayMs = 50 + random.next() * 500;
  }
  sim.start();
  await sim.run(2_000);
  const request = random.chance(0.5) ? { resource: URL_A } : { resource: URL_A, digest: digestOf(content) };
  const gets: SimGet[] = [];
  for (const host of sim.hosts) sim.at(random.next() * 500, () => gets.push(host.get(request)));
  stir(sim, random, trouble, (host) => gets.push(host.get(request)));
  const startMs = sim.clock.now();
  await sim.run(3_000);
  await sim.run(LIMIT_MS, () => gets.every(({ state }) => state !== 'running'));
  return judge(sim, content, gets, startMs);
}

function stir(sim: Simulation, random: SimRandom, trouble: Trouble, again: (host: SimHost) => void): void {
  const some = () => sim.hosts[randomInt(random, sim.hosts.length)] as SimHost;
  const middleMs = 300 + random.next() * 2_000;
  const whileMs = 100 + random.next() * 6_000;
  switch (trouble) {
    case 'messages':
      return;
    case 'hosts crash':
      for (let crash = 0; crash < 2; crash += 1) {
        const host = some();
        const atMs = 300 + random.next() * 2_000;
        sim.at(atMs, () => host.crash());
        if (random.chance(0.7)) {
          sim.at(atMs + 100 + random.next() * 5_000, () => void host.restart().then(() => again(host)));
        }
      }
      return;
    case 'scheduler restarts':
      sim.at(middleMs, () => sim.scheduler.crash());
      sim.at(middleMs + whileMs, () => sim.scheduler.start());
      return;
    case 'scheduler dies':
      sim.at(middleMs, () => sim.scheduler.crash());
      return;
    case 'nats is cut':
      sim.at(middleMs, () => sim.cutNats(true));
      sim.at(middleMs + whileMs, () => sim.cutNats(false));
      return;
    case 'links are cut': {
      const host = some();
      sim.at(middleMs, () => host.cutLink(true));
      sim.at(middleMs + whileMs, () => host.cutLink(false));
      return;
    }
    case 'a host lies': {
      const { server } = some();
      if (server) server.lies = true;
    }
  }
}

async function judge(
  sim: Simulation,
  content: SimContent,
  gets: readonly SimGet[],
  startMs: number,
): Promise<ChaosRun> {
  const failures: string[] = [];
  let wrong = 0;
  for (const get of gets) {
    if (get.state === 'crashed') continue;
    const right = await delivered(get, content);
    if (!right)
      failures.push(`${get.host.name} ${get.state} ${get.error?.code ?? ''} ${get.error?.message ?? ''}`);
  }
  for (const host of sim.hosts) wrong += (await wrongPieces(host, content)).length;
  const endedMs = Math.max(...gets.map((get) => get.endedMs ?? sim.clock.now())) - startMs;
  return {
    sim,
    content,
    gets,
    failures,
    wrong,
    endedMs,
    copies: sim.origin.bodyBytes / content.bytes.length,
  };
}
