import type { Finding } from '../../app/doctor/finding.ts';
import { printable } from './tables.ts';
import { wrapText } from './wrap.ts';

const MARKS = { ok: 'ok     ', warning: 'warning', fault: 'FAULT  ' } as const;
const INDENT = 9;

/** What a doctor found, what is wrong last, for a person. */
export function findingsText(findings: readonly Finding[]): string {
  const order = ['ok', 'warning', 'fault'] as const;
  const sorted = order.flatMap((state) => findings.filter((finding) => finding.state === state));
  return sorted
    .map(({ check, state, says, fix }) => {
      const line = wrapText(`${MARKS[state]}  ${printable(`${check}: ${says}`)}`, INDENT);
      return fix === undefined
        ? line
        : `${line}${wrapText(printable(`${' '.repeat(INDENT)}fix: ${fix}`), INDENT + 2)}`;
    })
    .join('');
}
