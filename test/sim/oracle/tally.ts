import { tableOf } from '../../support/figures.ts';
import { FAULTS, type Fault } from './faults.ts';
import { isWasteful, type Verdict } from './oracle.ts';

/** What a report keeps of a history. */
export type Told = Omit<Verdict, 'sim'>;

/** How histories ended, by what went wrong in them: alone, and together with something else. */
export function tally(told: readonly Told[]): string {
  const rows = [['fault', 'runs', 'failed', 'worst time', 'copies', 'worst', 'beyond']];
  for (const fault of FAULTS)
    rows.push(
      row(
        fault.name,
        told.filter(({ faults }) => isAlone(faults, fault)),
      ),
    );
  rows.push(['and another one at once']);
  for (const fault of FAULTS.slice(1)) {
    const both = told.filter(({ faults }) => faults.length > 1 && faults.includes(fault));
    rows.push(row(`  ${fault.name}`, both));
  }
  rows.push(row('all', told));
  return tableOf(rows);
}

function isAlone(faults: readonly Fault[], fault: Fault): boolean {
  return faults.length === 1 && faults[0] === fault;
}

function row(name: string, told: readonly Told[]): string[] {
  const sum = told.reduce((total, { copies }) => total + copies, 0);
  return [
    name,
    String(told.length),
    String(told.filter(({ failures }) => failures.length > 0).length),
    decimals(Math.max(...told.map(({ ratio }) => ratio))),
    decimals(sum / told.length),
    decimals(Math.max(...told.map(({ copies }) => copies))),
    String(told.filter(isWasteful).length),
  ];
}

function decimals(value: number): string {
  return Number.isFinite(value) ? value.toFixed(2) : '-';
}
