import { groupHistory } from '../sim/group/model.ts';

/** Plays histories of a group of schedulers, from one seed up to another: `npm run group -- 0 10000`. */
async function main([from = '0', to = '1000']: readonly string[]): Promise<void> {
  const startedMs = performance.now();
  let served = 0;
  let lives = 0;
  let wrong = 0;
  for (let seed = Number(from); seed < Number(to); seed += 1) {
    const history = await groupHistory(seed);
    served += history.served;
    lives += history.lives;
    if (history.fault === undefined) continue;
    wrong += 1;
    process.stdout.write(`seed ${seed}: ${history.fault}\n${history.lines.join('\n')}\n`);
  }
  const seconds = ((performance.now() - startedMs) / 1_000).toFixed(0);
  const figures = `${lives} lives of schedulers, ${served} answers taken, ${seconds} s`;
  process.stdout.write(`seeds ${from} to ${to}: ${wrong} wrong; ${figures}\n`);
  process.exitCode = wrong === 0 ? 0 : 1;
}

await main(process.argv.slice(2));
