import { writeFileSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { parseArgs } from 'node:util';
import { type Chart, readCharts } from './mutate/charts.ts';
import { Lane } from './mutate/crew.ts';
import { type Mutant, mutantsOf } from './mutate/mutants.ts';
import { mutantTable, type Outcome, totalsTable } from './mutate/outcome.ts';

/*
 * Deletes or reroutes each state and each transition of the statecharts in turn, and runs the tests of that actor's
 * behaviour: one of them must fail. Ends with 1 where a mutant survived.
 */
const HELP = `npm run mutate -- [options]
  --only CHART,…     these charts alone: host, peer, piece, task, resource, job, partition, scheduler
  --sample SECONDS   as many mutants, chosen at random, as this time allows
  --seed N           the sample that this seed gave
  --lanes N          how many processes run tests at once; default: one a core
  --json FILE        writes the outcomes there
  --list             says what would be done`;

const { values } = parseArgs({
  options: {
    only: { type: 'string' },
    sample: { type: 'string' },
    seed: { type: 'string' },
    lanes: { type: 'string' },
    json: { type: 'string' },
    list: { type: 'boolean' },
    help: { type: 'boolean' },
  },
});

/** Numbers from 0 to 1 that a seed gives. */
function random(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    // mulberry32
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

function shuffled<T>(items: readonly T[], next: () => number): T[] {
  return items
    .map((item) => ({ item, at: next() }))
    .sort((a, b) => a.at - b.at)
    .map(({ item }) => item);
}

interface Work {
  readonly chart: Chart;
  readonly mutants: readonly Mutant[];
}

const lanes = new Set<Lane>();

/** Works off the mutants of a chart on one lane, as long as there is time. */
async function runLane(
  { chart, mutants }: Work,
  queue: Mutant[],
  untilMs: number,
): Promise<Map<Mutant, Outcome>> {
  const { id } = chart.machine;
  const lane = new Lane(chart.tests);
  const outcomes = new Map<Mutant, Outcome>();
  lanes.add(lane);
  try {
    const { failed, tests } = await lane.baseline(id);
    if (failed !== undefined) throw new Error(`a test of ${id} fails without any mutant: ${failed}`);
    for (let mutant = queue.shift(); mutant; mutant = Date.now() < untilMs ? queue.shift() : undefined) {
      const { what, how, edits } = mutant;
      const verdict = tests === 0 ? { failed: undefined } : await lane.judge({ chart: id, edits });
      const result = verdict === undefined ? 'timeout' : verdict.failed === undefined ? 'SURVIVED' : 'killed';
      outcomes.set(mutant, { chart: id, what, how, result, by: verdict?.failed });
      const done = mutants.length - queue.length;
      if (process.stderr.isTTY) console.error(`${id} ${done}/${mutants.length} ${result}: ${what}, ${how}`);
    }
    return outcomes;
  } finally {
    lane.end();
    lanes.delete(lane);
  }
}

async function runChart(
  work: Work,
  order: readonly Mutant[],
  untilMs: number,
  width: number,
): Promise<Outcome[]> {
  const queue = [...order];
  const begun = Array.from({ length: Math.min(width, queue.length) }, () => runLane(work, queue, untilMs));
  const found = new Map((await Promise.all(begun)).flatMap((outcomes) => [...outcomes]));
  return work.mutants.flatMap((mutant) => found.get(mutant) ?? []);
}

async function main(): Promise<void> {
  if (values.help) return console.log(HELP);
  const only = values.only?.split(',');
  const works: Work[] = (await readCharts())
    .filter(({ machine }) => only?.includes(machine.id) ?? true)
    .map((chart) => ({ chart, mutants: mutantsOf(chart.machine.config) }));
  const total = works.reduce((sum, { mutants }) => sum + mutants.length, 0);
  if (total === 0) throw new Error(`there is no chart ${values.only}`);
  if (values.list) {
    for (const { chart, mutants } of works) {
      for (const { what, how } of mutants) console.log(`${chart.machine.id}\t${what}\t${how}`);
    }
    return;
  }
  const sampleMs = values.sample === undefined ? undefined : 1_000 * Number(values.sample);
  const seed = Number(values.seed ?? Math.floor(Math.random() * 2 ** 31));
  const next = random(seed);
  if (sampleMs !== undefined) console.log(`a sample of ${values.sample} s: --seed ${seed}`);
  const outcomes: Outcome[] = [];
  for (const work of works) {
    const untilMs = sampleMs === undefined ? Infinity : Date.now() + (sampleMs * work.mutants.length) / total;
    const order = sampleMs === undefined ? work.mutants : shuffled(work.mutants, next);
    outcomes.push(...(await runChart(work, order, untilMs, Number(values.lanes ?? availableParallelism()))));
  }
  const all = new Map(works.map(({ chart, mutants }) => [chart.machine.id, mutants.length]));
  console.log(`${mutantTable(outcomes)}\n\n${totalsTable(outcomes, all)}`);
  if (values.json !== undefined)
    writeFileSync(values.json, `${JSON.stringify({ seed, outcomes }, null, 2)}\n`);
  if (outcomes.some(({ result }) => result === 'SURVIVED')) process.exitCode = 1;
}

for (const signal of ['SIGINT', 'SIGTERM'] as const) {
  process.on(signal, () => {
    for (const lane of lanes) lane.end();
    process.exit(1);
  });
}

await main();
