import { parse } from 'smol-toml';
import { conflict } from './edit.ts';

/** A TOML document as an object. */
export type TomlTable = Readonly<Record<string, unknown>>;

const BEGIN = '# >>> shoal';
const END = '# <<< shoal';
const WAS = '# was: ';

/** Reads TOML. @throws ERR_CONFIG_CONFLICT */
export function parseToml(path: string, text: string): TomlTable {
  try {
    return parse(text, { integersAsBigInt: 'asNeeded' });
  } catch (cause) {
    throw conflict(path, 'it is not valid TOML', cause);
  }
}

/** The value behind keys, or undefined. */
export function tomlAt(table: unknown, keys: readonly string[]): unknown {
  return keys.reduce((value, key) => (isTable(value) ? value[key] : undefined), table);
}

/** Whether a value is a table. */
export function isTable(value: unknown): value is TomlTable {
  return typeof value === 'object' && value !== null && !Array.isArray(value) && !(value instanceof Date);
}

/** How the lines of a text end. */
export function lineEndOf(text: string): string {
  return /^[^\n]*\r\n/.test(text) ? '\r\n' : '\n';
}

/** Lines of Shoal between their marks; `was` are lines that come back when they are taken out. */
export function block(lines: readonly string[], lineEnd: string, was: readonly string[] = []): string {
  const head = `${BEGIN}: written by \`shoal configure\`, taken out by \`shoal configure … --undo\``;
  return [head, ...was.map((line) => `${WAS}${line}`), ...lines, END, ''].join(lineEnd);
}

/** A text without Shoal's blocks, and what stood in them. */
export function withoutBlocks(text: string): { rest: string; inner: string } {
  let rest = '';
  let inner = '';
  let within: string[] | undefined;
  for (const line of linesOf(text)) {
    if (within === undefined) {
      if (line.trim().startsWith(BEGIN)) within = [line];
      else rest += line;
      continue;
    }
    within.push(line);
    if (line.trim() !== END) continue;
    for (const ours of within) {
      if (ours.startsWith(WAS)) rest += ours.slice(WAS.length);
      else inner += ours;
    }
    within = undefined;
  }
  return { rest: rest + (within ?? []).join(''), inner };
}

/** The lines of a text with their ends. */
export function linesOf(text: string): string[] {
  return text === '' ? [] : text.split(/(?<=\n)/);
}

/** Which lines look like a table's header, the first of its comments included; some may lie within strings. */
export function tablesOf(lines: readonly string[]): { header: number; first: number }[] {
  return lines.flatMap((line, header) => {
    if (!/^[ \t]*\[/.test(line)) return [];
    let first = header;
    while (first > 0 && /^[ \t]*#/.test(lines[first - 1] ?? '')) first -= 1;
    return [{ header, first }];
  });
}

/** Lines with a text put before line `at`. */
export function insertAt(lines: readonly string[], at: number, inserted: string): string {
  const before = lines.slice(0, at).join('');
  const gap = before === '' || before.endsWith('\n') ? '' : lineEndOf(before);
  return before + gap + inserted + lines.slice(at).join('');
}

/** Whether a text is TOML that means this. */
export function means(text: string, expected: TomlTable): boolean {
  try {
    return sameTables(parse(text, { integersAsBigInt: 'asNeeded' }), expected);
  } catch {
    return false;
  }
}

/** A copy with a value at these keys, put first or last in its table; `undefined` removes it, and tables left empty. */
export function withValue(
  table: TomlTable,
  keys: readonly string[],
  value: unknown,
  place: 'first' | 'last' = 'last',
): TomlTable {
  const [key, ...deeper] = keys;
  if (key === undefined) return table;
  const { [key]: former, ...others } = table;
  const next = deeper.length === 0 ? value : withValue(isTable(former) ? former : {}, deeper, value, place);
  if (next === undefined || (value === undefined && isTable(next) && Object.keys(next).length === 0)) {
    return others;
  }
  return place === 'first' ? { [key]: next, ...others } : { ...others, [key]: next };
}

/** Whether two values of TOML are equal, whatever the order of keys. */
export function sameTables(left: unknown, right: unknown): boolean {
  return canonical(left, false) === canonical(right, false);
}

/** Whether two documents say the same; tables left empty say nothing. */
export function sameMeaning(left: TomlTable, right: TomlTable): boolean {
  return canonical(left, true) === canonical(right, true);
}

function canonical(value: unknown, dropEmpty: boolean): string {
  if (Array.isArray(value)) return `[${value.map((inner) => canonical(inner, dropEmpty)).join()}]`;
  if (!isTable(value))
    return value instanceof Date ? value.toISOString() : `${typeof value} ${JSON.stringify(String(value))}`;
  const members = Object.keys(value)
    .sort()
    .map((key) => [JSON.stringify(key), canonical(value[key], dropEmpty)] as const)
    .filter(([, inner]) => !dropEmpty || inner !== '{}');
  return `{${members.map(([key, inner]) => `${key}:${inner}`).join()}}`;
}
