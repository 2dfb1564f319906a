import { ShoalError } from '../../core/errors.ts';
import { printable, tableText } from './tables.ts';

/** One column of a list. */
export interface ListColumn<R> {
  readonly title: string;
  readonly cell: (row: R) => string;
  /** What is sorted by, where the text of the cell is not. */
  readonly value?: (row: R) => number;
  /** Numbers stand to the right. */
  readonly right?: true;
  /** Shown with --wide alone. */
  readonly wide?: true;
  /** May be cut where the line is too long: it is not what anything is named by. */
  readonly cut?: true;
}

/** How a person wants a list. */
export interface ListView {
  /** Every column, whatever its length. */
  readonly wide: boolean;
  /** The title of a column; with a `-` before it the largest first. */
  readonly sort?: string | undefined;
  /** A text that a cell holds, or COLUMN=TEXT. */
  readonly filter?: string | undefined;
}

/** The view that the flags of a list ask for. */
export function viewOf({ wide, sort, filter }: Readonly<Record<string, unknown>>): ListView {
  return {
    wide: wide === true,
    sort: typeof sort === 'string' ? sort : undefined,
    filter: typeof filter === 'string' ? filter : undefined,
  };
}

const COLUMNS = 80;
const GAP = 2;
const LEAST_CUT = 6;

/** A list in a terminal: 80 columns unless it may be wide. @throws ERR_CONFIG_INVALID for a column that there is not */
export function listText<R>(columns: readonly ListColumn<R>[], rows: readonly R[], view: ListView): string {
  const wanted = sorted(columns, filtered(columns, rows, view.filter), view.sort);
  const shown = columns.filter(({ wide }) => view.wide || wide === undefined);
  const head = shown.map(({ title }) => title);
  const cells = wanted.map((row) => shown.map(({ cell }) => printable(cell(row))));
  const right = shown.flatMap((column, index) => (column.right ? [index] : []));
  if (view.wide) return tableText(head, cells, right);
  const most = widths(shown, [head, ...cells]);
  return tableText(
    head.map((title, index) => cutTo(title, most[index])),
    cells.map((row) => row.map((text, index) => cutTo(text, most[index]))),
    right,
  );
}

/** How wide each column may be, so that a line fits: the widest of those that may be cut gives way first. */
function widths<R>(columns: readonly ListColumn<R>[], rows: readonly (readonly string[])[]): number[] {
  const most = columns.map((_, index) => Math.max(...rows.map((row) => row[index]?.length ?? 0)));
  let over = most.reduce((sum, width) => sum + width, (columns.length - 1) * GAP) - COLUMNS;
  while (over > 0) {
    const room = most.map((width, index) => (columns[index]?.cut && width > LEAST_CUT ? width : 0));
    const widest = room.indexOf(Math.max(...room));
    const width = room[widest] ?? 0;
    if (width === 0) break;
    const others = room.filter((_, index) => index !== widest);
    const step = Math.min(over, Math.max(1, width - Math.max(LEAST_CUT, ...others)));
    most[widest] = width - step;
    over -= step;
  }
  return most;
}

/** Cut in its middle: beginning and end tell most of a URL or a name. */
function cutTo(text: string, most = text.length): string {
  if (text.length <= most) return text;
  const head = Math.ceil((most - 1) / 2);
  return `${text.slice(0, head)}…${text.slice(text.length - (most - 1 - head))}`;
}

function filtered<R>(columns: readonly ListColumn<R>[], rows: readonly R[], filter: string | undefined) {
  if (filter === undefined) return rows;
  const [, name, text = ''] = /^([A-Za-z ]+)=(.*)$/.exec(filter) ?? [];
  if (name !== undefined) {
    const { cell } = columnOf(columns, name);
    return rows.filter((row) => cell(row).toLowerCase() === text.toLowerCase());
  }
  const wanted = filter.toLowerCase();
  return rows.filter((row) => columns.some(({ cell }) => cell(row).toLowerCase().includes(wanted)));
}

function sorted<R>(columns: readonly ListColumn<R>[], rows: readonly R[], sort: string | undefined) {
  if (sort === undefined) return rows;
  const { cell, value } = columnOf(columns, sort.replace(/^-/, ''));
  const sign = sort.startsWith('-') ? -1 : 1;
  return rows.toSorted((a, b) => {
    if (value !== undefined) return sign * (value(a) - value(b));
    const [left, right] = [cell(a), cell(b)];
    return left < right ? -sign : left > right ? sign : 0;
  });
}

function columnOf<R>(columns: readonly ListColumn<R>[], name: string): ListColumn<R> {
  const wanted = name.toLowerCase().replace(/[ _-]/g, '');
  const found = columns.find(({ title }) => title.toLowerCase().replace(/[ _-]/g, '') === wanted);
  if (found !== undefined) return found;
  const titles = columns.map(({ title }) => title.toLowerCase()).join(', ');
  throw new ShoalError('ERR_CONFIG_INVALID', `there is no column ${name}: give one of ${titles}`);
}
