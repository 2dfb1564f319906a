import { readdirSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { type AnyStateMachine, StateMachine } from 'xstate';

const MACHINES = fileURLToPath(new URL('../../machines/', import.meta.url));

/** The tests that watch an actor at work, by the `id` of its chart. Tests of the chart alone do not count. */
const TESTS: Readonly<Record<string, readonly string[]>> = {
  host: ['test/actors/host/*.test.ts'],
  peer: ['test/actors/host/peer/**/*.test.ts'],
  piece: ['test/actors/host/piece/**/*.test.ts', 'test/actors/host/peer/lease-book.test.ts'],
  task: ['test/actors/scheduler/task/**/*.test.ts'],
  resource: ['test/actors/resource.test.ts'],
  job: ['test/actors/scheduler/job/*.test.ts'],
  partition: ['test/actors/scheduler/group/*.test.ts'],
  scheduler: ['test/actors/scheduler/group/*.test.ts'],
};

/** A chart, and the tests of what its actor does. */
export interface Chart {
  readonly machine: AnyStateMachine;
  readonly tests: readonly string[];
}

/** Every chart of `machines/`. */
export async function readCharts(): Promise<Chart[]> {
  const files = readdirSync(MACHINES, { recursive: true, encoding: 'utf8' }).filter((name) =>
    name.endsWith('.ts'),
  );
  const charts: Chart[] = [];
  for (const file of files.sort()) {
    const exported: Record<string, unknown> = await import(`${MACHINES}${file}`);
    for (const machine of Object.values(exported)) {
      if (!(machine instanceof StateMachine)) continue;
      const tests = TESTS[machine.id];
      if (tests === undefined)
        throw new Error(`scripts/mutate/charts.ts names no tests of the chart ${machine.id}`);
      charts.push({ machine, tests });
    }
  }
  return charts;
}
