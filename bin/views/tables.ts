import { Table } from 'console-table-printer';

const NOTHING = { left: '', mid: '', right: '', other: '' };

/** Columns without borders; numbers and sizes are easier to read to the right, so `right` names such columns. */
export function tableText(
  head: readonly string[],
  rows: readonly (readonly string[])[],
  right: readonly number[] = [],
): string {
  const table = new Table({
    shouldDisableColors: true,
    style: { headerTop: NOTHING, headerBottom: NOTHING, tableBottom: NOTHING, vertical: '' },
    columns: head.map((title, column) => ({
      name: String(column),
      title,
      alignment: right.includes(column) ? 'right' : 'left',
    })),
  });
  table.addRows(rows.map((row) => Object.fromEntries(row.map((cell, column) => [column, printable(cell)]))));
  // A space stands on either side of each cell, and an empty line for each border.
  const lines = table
    .render()
    .split('\n')
    .filter((line) => line !== '');
  return lines.map((line) => `${line.slice(1).trimEnd()}\n`).join('');
}

/** `name: value` lines, values below each other. */
export function factsText(facts: readonly (readonly [string, string])[]): string {
  const width = Math.max(...facts.map(([name]) => name.length));
  return facts.map(([name, value]) => `${`${name}:`.padEnd(width + 2)}${printable(value)}\n`).join('');
}

/** What comes from other hosts may hold anything; a terminal obeys control characters. */
export function printable(text: string): string {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is taken out.
  return text.replace(/[\u0000-\u001f\u007f-\u009f]/g, '?');
}
