import { ShoalError } from '../core/errors.ts';
import { LIMITS } from '../core/limits.ts';
import { type Scene, sceneOf } from '../sim/light/scene.ts';
import { type SimSummary, summaryOf } from '../sim/light/summary.ts';
import { playLight } from '../sim/light/swarm.ts';
import { print } from './print.ts';
import type { SimOptions } from './sim-options.ts';
import { replayLine, simText } from './views/sim.ts';

/** Runs `sim`: one seed after the other. @throws ERR_SIM_BROKEN where a rule did not hold */
export async function runSim(options: SimOptions): Promise<void> {
  const broken: SimSummary[] = [];
  for (let seed = options.seed; seed < options.seed + options.seeds; seed += 1) {
    const outcome = await playLight(sceneFor(options, seed), {
      cpuUs: () => {
        const { user, system } = process.cpuUsage();
        return user + system;
      },
      trace:
        options.trace && ((atMs, host, what) => process.stderr.write(`${atMs.toFixed(1)} ${host} ${what}\n`)),
    });
    const summary = summaryOf(outcome);
    if (summary.broken.length > 0) broken.push(summary);
    if (options.json) await print(`${JSON.stringify(summary)}\n`);
    else if (options.seeds === 1 || summary.broken.length > 0) await print(simText(summary));
    if (summary.broken.length > 0) process.stderr.write(`play it again: ${replayLine(options, seed)}\n`);
  }
  if (options.seeds > 1 && !options.json) {
    await print(`${options.seeds} seeds, ${broken.length} with a broken rule\n`);
  }
  if (broken.length === 0) return;
  throw new ShoalError(
    'ERR_SIM_BROKEN',
    `a rule did not hold with ${broken.length === 1 ? 'one seed' : `${broken.length} seeds`}`,
  );
}

/** @throws ERR_CONFIG_INVALID for a piece that no task has */
function sceneFor(options: SimOptions, seed: number): Scene {
  const { piece, down, origin, farLatency } = options;
  if (piece !== undefined && (piece < LIMITS.pieceMinBytes || piece > LIMITS.pieceMaxBytes)) {
    throw new ShoalError(
      'ERR_CONFIG_INVALID',
      `--piece: from ${LIMITS.pieceMinBytes} to ${LIMITS.pieceMaxBytes} bytes`,
    );
  }
  return sceneOf({
    seed,
    hosts: options.hosts,
    seeds: Math.min(options.hosts, options.seedHosts),
    upBytesPerSec: options.up,
    length: options.size,
    latencyMs: options.latency,
    zones: options.zones,
    arriveMs: options.arrive,
    slowShare: options.slow,
    slowPart: options.slowPart,
    dieShare: options.die,
    lieShare: options.lie,
    slotsUp: options.slotsUp,
    slotsDown: options.slotsDown,
    serviceMs: options.syncCost / 1000,
    ...(down !== undefined && { downBytesPerSec: down }),
    ...(origin !== undefined && { originBytesPerSec: origin }),
    ...(farLatency !== undefined && { farLatencyMs: farLatency }),
    ...(piece !== undefined && { pieceLength: piece }),
  });
}
