import { findNodeAtLocation, type JSONPath, type Node, parseTree } from 'jsonc-parser';

/**
 * Valid JSON with an item more in the object or array at `path`, at its beginning or end, spaced as its neighbours are.
 * The library's own `modify` would format the lines around it.
 */
export function addItem(text: string, path: JSONPath, item: string, place: 'first' | 'last'): string {
  const box = nodeAt(text, path);
  if (box === undefined) return text;
  const items = box.children ?? [];
  const first = items[0];
  const last = items.at(-1);
  if (first === undefined || last === undefined) {
    const content = box.type === 'object' ? `\n  ${item}\n` : item;
    return splice(text, box.offset + 1, endOf(box) - 1, content);
  }
  const lead = text.slice(box.offset + 1, first.offset);
  if (place === 'first')
    return splice(text, first.offset, first.offset, `${item},${lead === '' ? ' ' : lead}`);
  const former = items.at(-2);
  const gap = former === undefined ? lead : text.slice(text.indexOf(',', endOf(former)) + 1, last.offset);
  return splice(text, endOf(last), endOf(last), `,${gap === '' ? ' ' : gap}${item}`);
}

/**
 * Valid JSON without the member or element at `path`. The library's own `modify` cuts too much where the last element
 * of an array stands on one line with its bracket (3.3.1).
 */
export function removeItem(text: string, path: JSONPath): string {
  const value = nodeAt(text, path);
  const item = value?.parent?.type === 'property' ? value.parent : value;
  const box = item?.parent;
  if (item === undefined || box === undefined) return text;
  const items = box.children ?? [];
  const index = items.indexOf(item);
  const former = items[index - 1];
  const next = items[index + 1];
  if (former !== undefined) return splice(text, endOf(former), endOf(item), '');
  if (next !== undefined) return splice(text, item.offset, next.offset, '');
  return splice(text, box.offset + 1, endOf(box) - 1, '');
}

function nodeAt(text: string, path: JSONPath): Node | undefined {
  const root = parseTree(text);
  return root && findNodeAtLocation(root, path);
}

function endOf({ offset, length }: Node): number {
  return offset + length;
}

function splice(text: string, from: number, to: number, by: string): string {
  return text.slice(0, from) + by + text.slice(to);
}
