import { fileURLToPath } from 'node:url';
import { createVitest, type TestModule, type TestSpecification } from 'vitest/node';
import type { Mutant } from './mutants.ts';

/** What a lane is told: the chart to change, and how. Without edits the tests run as they are. */
export interface Order {
  readonly chart: string;
  readonly edits: Mutant['edits'];
}

/** What a lane says of an order. */
export interface Verdict {
  /** The first test that failed; undefined where all passed. */
  readonly failed: string | undefined;
  readonly tests: number;
  readonly tookMs: number;
}

/** A test that takes this much longer than without a mutant waits for what does not come. */
const PATIENCE = 4;
const MIN_TEST_MS = 5_000;

const ROOT = fileURLToPath(new URL('../..', import.meta.url));

/** The test that failed, or the file that could not be loaded. */
function failureOf(module: TestModule): string | undefined {
  const [test] = module.children.allTests('failed');
  if (test) return `${module.relativeModuleId} > ${test.fullName}`;
  const [error] = module.errors();
  return error && `${module.relativeModuleId}: ${error.message}`;
}

/**
 * A process that runs some tests again and again, each time with another mutant. It ends when its parent does, and is
 * ended by it where a mutant hangs.
 */
async function run(tests: readonly string[]): Promise<void> {
  const vitest = await createVitest('test', {
    config: false,
    root: ROOT,
    watch: false,
    include: [...tests],
    setupFiles: ['scripts/mutate/setup.ts'],
    execArgv: ['--conditions=development'],
    reporters: [{}],
    testTimeout: 90_000,
    pool: 'forks',
    maxWorkers: 1,
    // One process for the files of a mutant, and a new one for the next.
    isolate: false,
    bail: 1,
  });
  let specifications: readonly TestSpecification[] = await vitest.globTestSpecifications();

  async function judge(order: Order): Promise<Verdict> {
    vitest.provide('order', order);
    const begunMs = Date.now();
    if (specifications.length === 0) return { failed: undefined, tests: 0, tookMs: 0 };
    const { testModules, unhandledErrors } = await vitest.runTestSpecifications([...specifications]);
    const failures = testModules.map(failureOf).filter((failure) => failure !== undefined);
    const [loose] = unhandledErrors;
    const uncaught = loose === undefined ? [] : [`an error that nobody caught: ${String(loose)}`];
    if (order.edits.length === 0) {
      specifications = quickFirst(testModules, specifications);
      vitest.getRootProject().config.testTimeout = Math.max(MIN_TEST_MS, PATIENCE * longestMs(testModules));
    }
    return {
      failed: [...failures, ...uncaught][0],
      tests: testModules.flatMap(({ children }) => [...children.allTests()]).length,
      tookMs: Date.now() - begunMs,
    };
  }

  process.on('message', (order: Order) => {
    judge(order).then(
      (verdict) => process.send?.(verdict),
      (error: unknown) => {
        console.error(error);
        process.exit(1);
      },
    );
  });
  process.on('disconnect', () => process.exit());
  process.send?.('ready');
}

/** How long the longest test took, ms. */
function longestMs(modules: readonly TestModule[]): number {
  const tests = modules.flatMap(({ children }) => [...children.allTests()]);
  return Math.max(0, ...tests.map((test) => test.diagnostic()?.duration ?? 0));
}

/** Quick files first: most mutants fail in them. */
function quickFirst(
  modules: readonly TestModule[],
  specifications: readonly TestSpecification[],
): readonly TestSpecification[] {
  const tookMs = new Map(modules.map((module) => [module.moduleId, module.diagnostic().duration]));
  const of = ({ moduleId }: TestSpecification) => tookMs.get(moduleId) ?? 0;
  return [...specifications].sort((a, b) => of(a) - of(b));
}

await run(process.argv.slice(2));
