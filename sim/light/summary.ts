import { brokenRules } from './oracles.ts';
import type { SimOutcome } from './outcome.ts';

/** A simulation in figures, as `shoal sim --json` gives it. Times in ms, from the arrival of each host. */
export interface SimSummary {
  readonly seed: number;
  readonly hosts: number;
  readonly pieces: number;
  /** Hosts that were not to die, and those of them that have all. */
  readonly lived: number;
  readonly done: number;
  /** When the last one had all, since the first came. */
  readonly makespanMs: number;
  readonly firstMs: number;
  readonly medianMs: number;
  readonly p95Ms: number;
  readonly lastMs: number;
  /** No schedule is faster; and how near to it the last host came: 1 is as near as can be. */
  readonly boundMs: number;
  readonly ofBound: number;
  readonly copies: number;
  /** Share of the bytes that came twice, before the last part of a content and in it. */
  readonly twice: number;
  readonly twiceInTail: number;
  readonly corrupt: number;
  readonly syncs: number;
  readonly pushes: number;
  /** Bytes of control messages, as a share of the content that all hosts took. */
  readonly controlShare: number;
  /** CPU time, µs: the scheduler's of a sync and of a piece, and that of the whole simulation, s. */
  readonly syncUs: number;
  readonly pieceUs: number;
  readonly cpuS: number;
  readonly broken: readonly string[];
}

/** The figures of a simulation. */
export function summaryOf(outcome: SimOutcome): SimSummary {
  const { scene, hosts, boundMs, messages, answerUs } = outcome;
  const lived = hosts.filter(({ diesMs }) => diesMs === undefined);
  const ended = lived.flatMap(({ doneMs, arrivesMs }) =>
    doneMs === undefined ? [] : [{ doneMs, arrivesMs }],
  );
  const times = ended.map(({ doneMs, arrivesMs }) => doneMs - arrivesMs).sort((a, b) => a - b);
  const makespanMs = Math.max(0, ...ended.map(({ doneMs }) => doneMs));
  const taken = scene.length * Math.max(1, hosts.length);
  const at = (share: number) => times[Math.min(times.length - 1, Math.floor(share * times.length))] ?? 0;
  return {
    seed: scene.seed,
    hosts: scene.hosts,
    pieces: Math.ceil(scene.length / scene.pieceLength),
    lived: lived.length,
    done: times.length,
    makespanMs,
    firstMs: at(0),
    medianMs: at(0.5),
    p95Ms: at(0.95),
    lastMs: at(1),
    boundMs,
    ofBound: makespanMs === 0 || times.length < lived.length ? 0 : boundMs / makespanMs,
    copies: outcome.originBytes / scene.length,
    twice: outcome.wastedBytes / taken,
    twiceInTail: outcome.wastedTailBytes / taken,
    corrupt: outcome.corrupt,
    syncs: messages.syncs,
    pushes: messages.pushes,
    controlShare: outcome.messageBytes / taken,
    syncUs: answerUs / Math.max(1, messages.syncs),
    pieceUs: answerUs / Math.max(1, outcome.pieces),
    cpuS: outcome.cpuUs / 1e6,
    broken: brokenRules(outcome),
  };
}
