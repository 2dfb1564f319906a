import { fork } from 'node:child_process';
import { availableParallelism } from 'node:os';
import { fileURLToPath } from 'node:url';
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
  --lanes N      how many processes play them; default: one a core
  --seed N       this one alone
  --trace        tells what happens in it`;

const { values } = parseArgs({
  options: {
    seeds: { type: 'string', default: '200' },
    from: { type: 'string', default: '0' },
    only: { type: 'string', default: '' },
    alone: { type: 'boolean', default: false },
    lanes: { type: 'string', default: String(availableParallelism()) },
    seed: { type: 'string' },
    trace: { type: 'boolean', default: false },
    /** Told to the processes that play. */
    lane: { type: 'boolean', default: false },
    help: { type: 'boolean', default: false },
  },
});

/** What a lane says of one history. */
type Word = Omit<Told, 'faults'>;

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

function seeds(): number[] {
  const all = Array.from({ length: Number(values.seeds) }, (_, index) => Number(values.from) + index);
  return all.filter((seed) => {
    const faults = faultsOf(seed);
    if (values.alone && faults.length > 1) return false;
    return faults.some(({ name }) => name.includes(values.only));
  });
}

/** Plays, in a process of its own, each seed that it is sent. */
function playSent(): void {
  process.on('message', (seed: number) => {
    void judge(seed).then(({ sim: _sim, faults: _faults, ...word }) => {
      process.send?.(word satisfies Word);
    });
  });
}

/** Has a process play seeds until none is left. */
function lane(left: number[], onTold: (told: Told) => void): Promise<void> {
  return new Promise((resolve, reject) => {
    const child = fork(fileURLToPath(import.meta.url), ['--lane'], { execArgv: process.execArgv });
    const next = () => {
      const seed = left.shift();
      if (seed === undefined) child.disconnect();
      else child.send(seed);
    };
    child.on('message', (word: Word) => {
      onTold({ ...word, faults: faultsOf(word.seed) });
      next();
    });
    child.on('error', reject);
    child.on('exit', (code) => (code === 0 ? resolve() : reject(new Error(`a lane ended with ${code}`))));
    next();
  });
}

async function run(): Promise<boolean> {
  if (values.seed !== undefined) {
    const seed = Number(values.seed);
    const verdict = values.trace ? await trace(seed) : await judge(seed);
    tell(verdict);
    return verdict.failures.length === 0;
  }
  const left = seeds();
  const told: Told[] = [];
  const onTold = (verdict: Told) => {
    told.push(verdict);
    if (verdict.failures.length > 0 || isWasteful(verdict)) tell(verdict);
  };
  await Promise.all(Array.from({ length: Number(values.lanes) }, () => lane(left, onTold)));
  console.log(tally(told));
  return told.every(({ failures }) => failures.length === 0);
}

if (values.help) console.log(HELP);
else if (values.lane) playSent();
else if (!(await run())) process.exitCode = 1;
