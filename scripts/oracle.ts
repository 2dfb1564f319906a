import { parseArgs } from 'node:util';
import type { Logger } from '../core/logger.ts';
import { faultsOf, isWasteful, judge, type Verdict } from '../test/sim/oracle/oracle.ts';
import { type Told, tally } from '../test/sim/oracle/tally.ts';

/*
 * Plays histories of simulated swarms in which things go wrong, one for each seed: a get on a host that runs and can read
 * the origin ends with the right bytes within two plain downloads and 15 s. Ends with 1 where one did not.
 */
const HELP = `npm run oracle -- [options]
  --seeds N      how many histories; default: 200
  --from N       the first seed; default: 0
  --only TEXT    those alone where something goes wrong whose name has this in it
  --alone        those alone where one thing goes wrong
  --seed N       this one alone
  --trace        tells what happens in it`;

const { values } = parseArgs({
  options: {
    seeds: { type: 'string', default: '200' },
    from: { type: 'string', default: '0' },
    only: { type: 'string', default: '' },
    alone: { type: 'boolean', default: false },
    seed: { type: 'string' },
    trace: { type: 'boolean', default: false },
    help: { type: 'boolean', default: false },
  },
});

interface Line {
  readonly atMs: number;
  readonly text: string;
}

/** What happens in one history, line by line: what hosts and schedulers log, and their events. */
async function trace(seed: number): Promise<Verdict> {
  const lines: Line[] = [];
  let begun: Verdict['sim'] | undefined;
  const at = (level: string) => (fields: Readonly<Record<string, unknown>>, message: string) => {
    const { speaker, ...rest } = fields;
    const text = `${String(speaker)} ${level} ${message} ${JSON.stringify(rest)}`;
    lines.push({ atMs: begun?.clock.now() ?? 0, text });
  };
  const log: Logger = { debug: at('debug'), info: at('info'), warn: at('warn'), error: at('error') };
  const verdict = await judge(seed, {
    log,
    onStage: ({ sim }) => {
      begun = sim;
    },
  });
  const { sim } = verdict;
  const names = new Map<string, string>(sim.hosts.map(({ hostId, name }) => [hostId, name]));
  const named = (text: string) => text.replace(/[0-9a-f]{32}/g, (id) => names.get(id) ?? id);
  for (const { atMs, speaker, type, data } of sim.events) {
    lines.push({ atMs, text: `${speaker} event ${type} ${JSON.stringify(data)}` });
  }
  for (const { atMs, text } of lines.sort((a, b) => a.atMs - b.atMs)) {
    console.log(`${atMs.toFixed(0).padStart(7)} ${named(text)}`);
  }
  return verdict;
}

function tell(verdict: Told): void {
  const { seed, faults, failures, ratio, copies } = verdict;
  const what = faults.map(({ name }) => name).join(' + ');
  const figures = `${ratio.toFixed(2)} of the time, ${copies.toFixed(2)} copies`;
  const word = failures.length > 0 ? 'FAILED' : isWasteful(verdict) ? 'wasteful' : 'kept';
  console.log(`${word}: seed ${seed}, ${what}: ${figures}`);
  for (const failure of failures) console.log(`    ${failure}`);
  if (word !== 'kept') console.log(`    npm run oracle -- --seed ${seed} --trace`);
}

async function run(): Promise<boolean> {
  if (values.seed !== undefined) {
    const seed = Number(values.seed);
    const verdict = values.trace ? await trace(seed) : await judge(seed);
    tell(verdict);
    return verdict.failures.length === 0;
  }
  const told: Told[] = [];
  const from = Number(values.from);
  for (let seed = from; seed < from + Number(values.seeds); seed += 1) {
    const faults = faultsOf(seed);
    if (values.alone && faults.length > 1) continue;
    if (!faults.some(({ name }) => name.includes(values.only))) continue;
    const { sim: _, ...verdict } = await judge(seed);
    told.push(verdict);
    if (verdict.failures.length > 0 || isWasteful(verdict)) tell(verdict);
  }
  console.log(tally(told));
  return told.every(({ failures }) => failures.length === 0);
}

if (values.help) console.log(HELP);
else if (!(await run())) process.exitCode = 1;
