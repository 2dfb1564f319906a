import { formatDuration } from '../../core/units.ts';
import type { SimSummary } from '../../sim/light/summary.ts';
import type { SimOptions } from '../sim-options.ts';
import { factsText } from './tables.ts';

/** What came of a simulation, for people. */
export function simText(summary: SimSummary): string {
  const { hosts, pieces, lived, done, boundMs, ofBound, broken } = summary;
  const facts: (readonly [string, string])[] = [
    ['swarm', `${hosts} hosts, ${pieces} pieces, seed ${summary.seed}`],
    ['done', `${done} of ${lived}${lived < hosts ? ` that live (${hosts - lived} died)` : ''}`],
    ['last', formatDuration(summary.makespanMs)],
    [
      'hosts took',
      `${formatDuration(summary.firstMs)} the first, ${formatDuration(summary.medianMs)} the median, ${formatDuration(summary.p95Ms)} 95 %`,
    ],
    ['bound', `${formatDuration(boundMs)}: no schedule is faster`],
    ['of the bound', ofBound === 0 ? '-' : ofBound.toFixed(3)],
    ['origin', `${summary.copies.toFixed(3)} copies`],
    ['twice', `${percent(summary.twice)} before the tail, ${percent(summary.twiceInTail)} in it`],
    ['wrong pieces', String(summary.corrupt)],
    [
      'messages',
      `${summary.syncs} syncs, ${summary.pushes} pushes, ${percent(summary.controlShare)} of the content`,
    ],
    ['scheduler', `${summary.syncUs.toFixed(0)} µs a sync, ${summary.pieceUs.toFixed(0)} µs a piece`],
    ['simulated in', `${summary.cpuS.toFixed(1)} s of CPU`],
    ...broken.map((rule) => ['broken rule', rule] as const),
  ];
  return factsText(facts);
}

/** The command that plays one seed again. */
export function replayLine(options: SimOptions, seed: number): string {
  const flags = [
    `--hosts ${options.hosts}`,
    `--seed-hosts ${options.seedHosts}`,
    `--up ${options.up}B`,
    options.down !== undefined && `--down ${options.down}B`,
    options.origin !== undefined && `--origin ${options.origin}B`,
    `--size ${options.size}B`,
    options.piece !== undefined && `--piece ${options.piece}B`,
    `--latency ${options.latency}ms`,
    `--zones ${options.zones}`,
    options.farLatency !== undefined && `--far-latency ${options.farLatency}ms`,
    `--arrive ${options.arrive}ms`,
    `--slow ${options.slow}`,
    `--slow-part ${options.slowPart}`,
    `--die ${options.die}`,
    `--lie ${options.lie}`,
    `--slots-up ${options.slotsUp}`,
    `--slots-down ${options.slotsDown}`,
    `--sync-cost ${options.syncCost}`,
    `--seed ${seed}`,
  ];
  return `shoal sim ${flags.filter(Boolean).join(' ')} --trace`;
}

function percent(share: number): string {
  return `${(100 * share).toFixed(2)} %`;
}
