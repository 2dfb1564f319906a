import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import type { Order, Verdict } from './lane.ts';

const LANE = fileURLToPath(new URL('lane.ts', import.meta.url));
/** A mutant that takes this much longer than the tests without it hangs. */
const PATIENCE = 4;
/** Beside that, for the one test that waits in vain. */
const SPARE_MS = 10_000;

/** Runs the tests of one chart in a process of its own, which is ended and begun anew where a mutant hangs. */
export class Lane {
  readonly #tests: readonly string[];
  #child: ChildProcess | undefined;
  /** How long an order may take; endless until the tests have run without a mutant. */
  #limitMs: number | undefined;

  constructor(tests: readonly string[]) {
    this.#tests = tests;
  }

  /** Runs the tests as they are, which must pass, and learns how long they take. */
  async baseline(chart: string): Promise<Verdict> {
    const verdict = await this.#ask({ chart, edits: [] });
    if (verdict === undefined) throw new Error(`the tests of ${chart} ended without a verdict`);
    this.#limitMs = SPARE_MS + PATIENCE * verdict.tookMs;
    return verdict;
  }

  /** Runs the tests with a mutant; undefined where they did not end in time. */
  judge(order: Order): Promise<Verdict | undefined> {
    return this.#ask(order);
  }

  end(): void {
    const pid = this.#child?.pid;
    this.#child = undefined;
    // The whole group: a worker in an endless loop hears nothing.
    if (pid !== undefined) process.kill(-pid, 'SIGKILL');
  }

  async #ask(order: Order): Promise<Verdict | undefined> {
    const child = this.#child ?? (await this.#begin());
    const limit = this.#limitMs === undefined ? undefined : AbortSignal.timeout(this.#limitMs);
    const over = new AbortController();
    const signal = AbortSignal.any([over.signal, ...(limit ? [limit] : [])]);
    child.send(order);
    try {
      const [answer] = await Promise.race([
        once(child, 'message', { signal }),
        once(child, 'exit', { signal }).then(() => [undefined]),
      ]);
      if (answer === undefined)
        throw new Error(`the tests ended before they were run:\n${JSON.stringify(order)}`);
      return answer as Verdict;
    } catch (error) {
      if (!limit?.aborted) throw error;
      this.end();
      return undefined;
    } finally {
      over.abort();
    }
  }

  async #begin(): Promise<ChildProcess> {
    const child = fork(LANE, [...this.#tests], {
      execArgv: ['--import', 'tsx'],
      detached: true,
      stdio: ['ignore', 'ignore', 'inherit', 'ipc'],
    });
    this.#child = child;
    await once(child, 'message');
    return child;
  }
}
