import { useEffect, useState } from 'preact/hooks';
import type { Live } from '../live.ts';
import { useLive } from '../live.ts';

const PAGE_ROWS = 50;

/** A list that comes by the page, and how to go through it. */
export interface Paged<T> extends Live<T> {
  readonly page: number;
  readonly forth: (() => void) | undefined;
  readonly back: (() => void) | undefined;
}

/** A page of a list of the API; a new path begins at its first page. */
export function usePaged<T extends { readonly next?: string }>(path: string | undefined): Paged<T> {
  const [cursors, setCursors] = useState<readonly string[]>([]);
  useEffect(() => setCursors([]), [path]);
  const cursor = cursors.at(-1);
  const joined = path?.includes('?') ? '&' : '?';
  const from = cursor === undefined ? '' : `&cursor=${encodeURIComponent(cursor)}`;
  const live = useLive<T>(path && `${path}${joined}limit=${PAGE_ROWS}${from}`);
  const next = live.data?.next;
  return {
    ...live,
    page: cursors.length + 1,
    forth: next === undefined ? undefined : () => setCursors((before) => [...before, next]),
    back: cursors.length === 0 ? undefined : () => setCursors((before) => before.slice(0, -1)),
  };
}

/** Buttons below a list. */
export function Pages({ page, forth, back }: Pick<Paged<unknown>, 'page' | 'forth' | 'back'>) {
  if (forth === undefined && back === undefined) return null;
  return (
    <p class="pages">
      <button type="button" disabled={back === undefined} onClick={back}>
        back
      </button>
      <span>page {page}</span>
      <button type="button" disabled={forth === undefined} onClick={forth}>
        on
      </button>
    </p>
  );
}
