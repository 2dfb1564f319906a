/** One member of an object or element of an array, by where it lies in the text. */
export interface JsonItem {
  /** The member's name; empty in arrays. */
  readonly key: string;
  /** Where the item begins: at its key, or its value in an array. */
  readonly start: number;
  readonly value: number;
  readonly end: number;
}

/** An object or array in a text that is valid JSON. */
interface JsonBox {
  readonly open: number;
  readonly close: number;
  readonly items: readonly JsonItem[];
}

/** Finds the items of the object or array that begins at or after `from`, in valid JSON. */
export function jsonBox(text: string, from = 0): JsonBox {
  const open = skipSpace(text, from);
  const named = text[open] === '{';
  const items: JsonItem[] = [];
  let at = skipSpace(text, open + 1);
  while (at < text.length && text[at] !== '}' && text[at] !== ']') {
    const start = at;
    const keyEnd = named ? endOf(text, at) : at;
    const value = named ? skipSpace(text, text.indexOf(':', keyEnd) + 1) : at;
    const end = endOf(text, value);
    items.push({ key: named ? String(JSON.parse(text.slice(start, keyEnd))) : '', start, value, end });
    at = skipSpace(text, end);
    if (text[at] === ',') at = skipSpace(text, at + 1);
  }
  return { open, close: at, items };
}

/** The text with an item more, at the beginning or the end, spaced as its neighbours are. */
export function addItem(text: string, box: JsonBox, item: string, place: 'first' | 'last'): string {
  const { open, close, items } = box;
  const first = items[0];
  const last = items.at(-1);
  if (first === undefined || last === undefined) {
    const lead = text[open] === '{' ? '\n  ' : '';
    return splice(text, open + 1, close, `${lead}${item}${lead === '' ? '' : '\n'}`);
  }
  const lead = text.slice(open + 1, first.start);
  if (place === 'first') return splice(text, first.start, first.start, `${item},${lead === '' ? ' ' : lead}`);
  const former = items.at(-2);
  const gap = former === undefined ? lead : text.slice(text.indexOf(',', former.end) + 1, last.start);
  return splice(text, last.end, last.end, `,${gap === '' ? ' ' : gap}${item}`);
}

/** The text without one item. */
export function removeItem(text: string, box: JsonBox, index: number): string {
  const { open, close, items } = box;
  const item = items[index];
  const former = items[index - 1];
  const next = items[index + 1];
  if (item === undefined) return text;
  if (former !== undefined) return splice(text, former.end, item.end, '');
  if (next !== undefined) return splice(text, item.start, next.start, '');
  return splice(text, open + 1, close, '');
}

function splice(text: string, from: number, to: number, by: string): string {
  return text.slice(0, from) + by + text.slice(to);
}

function skipSpace(text: string, from: number): number {
  let at = from;
  while (' \t\r\n'.includes(text[at] ?? '-')) at += 1;
  return at;
}

function endOf(text: string, from: number): number {
  let depth = 0;
  for (let at = from; at < text.length; at += 1) {
    const char = text[at];
    if (char === '"') {
      at += 1;
      while (at < text.length && text[at] !== '"') at += text[at] === '\\' ? 2 : 1;
    } else if (char === '{' || char === '[') depth += 1;
    else if (char === '}' || char === ']') {
      if (depth === 0) return at;
      depth -= 1;
    } else if (depth === 0 && /[,\s:]/.test(char ?? '')) return at;
    else continue;
    if (depth === 0) return at + 1;
  }
  return text.length;
}
