import { printable } from '../views/tables.ts';

/** Colours and weights that a span may have; what they look like is the screen's. */
export type Style = 'plain' | 'strong' | 'dim' | 'good' | 'bad' | 'chosen';

/** A piece of a line, all of one style. */
export interface Span {
  readonly text: string;
  readonly style: Style;
}

export type Line = readonly Span[];

/** A span; what a terminal would obey or draw two columns wide is replaced, since it comes from other hosts. */
export function span(text: string, style: Style = 'plain'): Span {
  return { text: printable(text).replace(/\p{M}|[\u1100-\u{10ffff}]/gu, wide), style };
}

/** Marks of our own above U+1100, each one column wide. */
const DRAWN = /[\u2010-\u2027\u2190-\u21ff\u2500-\u25ff]/u;

function wide(char: string): string {
  return DRAWN.test(char) ? char : '?';
}

/** The line in so many columns: cut, or filled with spaces. */
export function fitted(line: Line, columns: number): Line {
  const shown: Span[] = [];
  let left = columns;
  for (const { text, style } of line) {
    if (left === 0) break;
    const part = text.slice(0, left);
    shown.push({ text: part, style });
    left -= part.length;
  }
  if (left > 0)
    shown.push({ text: ' '.repeat(left), style: shown.at(-1)?.style === 'chosen' ? 'chosen' : 'plain' });
  return shown;
}

/** A column of a table. */
export interface Column {
  readonly title: string;
  readonly right?: boolean;
  /** Taken away where there is no room, the largest number first; absent: always there. */
  readonly spare?: number;
}

/** Rows below their titles, as wide as they need to be; the last column gets what is left. */
export function table(
  columns: readonly Column[],
  rows: readonly (readonly string[])[],
  width: number,
): { readonly head: string; readonly rows: readonly string[] } {
  const need = columns.map(({ title }, at) =>
    Math.max(title.length, ...rows.map((row) => row[at]?.length ?? 0)),
  );
  const least = (at: number) => (at === columns.length - 1 ? Math.min(need[at] ?? 0, 12) : (need[at] ?? 0));
  let shown = columns.map((_, at) => at);
  const total = () => shown.reduce((sum, at) => sum + least(at) + 2, -2);
  const spares = shown.filter((at) => columns[at]?.spare !== undefined);
  spares.sort((a, b) => (columns[b]?.spare ?? 0) - (columns[a]?.spare ?? 0));
  for (const at of spares) if (total() > width) shown = shown.filter((other) => other !== at);
  const line = (cells: readonly string[]) =>
    shown
      .map((at) => {
        const cell = cells[at] ?? '';
        return columns[at]?.right ? cell.padStart(need[at] ?? 0) : cell.padEnd(need[at] ?? 0);
      })
      .join('  ')
      .trimEnd()
      .slice(0, width);
  return { head: line(columns.map(({ title }) => title)), rows: rows.map(line) };
}

const SHADES = [' ', '░', '▒', '▓', '█'];

/** A bar of so many columns, that much of it full. */
export function bar(share: number, columns: number): string {
  const full = Math.round(Math.max(0, Math.min(1, share)) * columns);
  return '█'.repeat(full) + '░'.repeat(columns - full);
}

/** What a host holds, part by part, as `task show` tells it, in so many columns at most. */
export function cellsBar(cells: string, columns: number): string {
  const count = Math.min(columns, cells.length);
  let drawn = '';
  for (let at = 0; at < count; at += 1) {
    const first = Math.floor((at * cells.length) / count);
    const end = Math.floor(((at + 1) * cells.length) / count);
    const part = [...cells.slice(first, end)].map(Number);
    const held = part.reduce((sum, digit) => sum + digit, 0) / (9 * part.length);
    drawn += SHADES[held === 0 ? 0 : held === 1 ? 4 : 1 + Math.floor(held * 3)] ?? ' ';
  }
  return drawn;
}
