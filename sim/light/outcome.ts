import type { Scene } from './scene.ts';

/** What a simulation is run with. */
export interface SimRun {
  /** CPU time of this process, µs; it is told and decides nothing. */
  readonly cpuUs: () => number;
  /** Hears what happens, line by line. */
  readonly trace?: ((atMs: number, host: string, what: string) => void) | undefined;
}

/** One host at the end; `doneMs` is absent where it did not get all. */
export interface HostOutcome {
  readonly name: string;
  readonly arrivesMs: number;
  readonly diesMs: number | undefined;
  readonly doneMs: number | undefined;
}

/** What came of a scene. */
export interface SimOutcome {
  readonly scene: Scene;
  /** Of those who are left. @see remainingBoundMs */
  readonly boundMs: number;
  readonly lastFaultMs: number;
  readonly hosts: readonly HostOutcome[];
  readonly originBytes: number;
  /** Bytes of pieces that came twice, before the last part of a host's content and in it. */
  readonly wastedBytes: number;
  readonly wastedTailBytes: number;
  /** Wrong pieces that came, and were thrown away. */
  readonly corrupt: number;
  readonly messages: { readonly syncs: number; readonly pushes: number; readonly unanswered: number };
  /** Of syncs and their answers, from a sample. */
  readonly messageBytes: number;
  readonly answerUs: number;
  readonly cpuUs: number;
  readonly pieces: number;
  readonly stoodStill: boolean;
}
