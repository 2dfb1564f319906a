/** What became of a mutant. */
export interface Outcome {
  readonly chart: string;
  readonly what: string;
  readonly how: string;
  /** `killed` by a test that failed, `timeout` where the tests did not end, else `SURVIVED`. */
  readonly result: 'killed' | 'timeout' | 'SURVIVED';
  /** The first test that failed. */
  readonly by: string | undefined;
}

function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const line = (cells: readonly string[]) =>
    `| ${cells.map((cell) => cell.replaceAll('|', '\\|')).join(' | ')} |`;
  return [line(head), line(head.map(() => '---')), ...rows.map(line)].join('\n');
}

/** Each mutant, and the test that fails with it. */
export function mutantTable(outcomes: readonly Outcome[]): string {
  return table(
    ['chart', 'state or transition', 'what was done', 'the test that fails'],
    outcomes.map(({ chart, what, how, result, by }) => [
      chart,
      what,
      how,
      by ?? (result === 'timeout' ? 'the tests did not end' : result),
    ]),
  );
}

/** How many mutants of each chart there are, were run, and survived. */
export function totalsTable(outcomes: readonly Outcome[], all: ReadonlyMap<string, number>): string {
  return table(
    ['chart', 'mutants', 'run', 'killed', 'timeout', 'survived'],
    [...all].map(([chart, mutants]) => {
      const own = outcomes.filter((outcome) => outcome.chart === chart);
      const count = (result: Outcome['result']) => own.filter((outcome) => outcome.result === result).length;
      return [chart, mutants, own.length, count('killed'), count('timeout'), count('SURVIVED')].map(String);
    }),
  );
}
