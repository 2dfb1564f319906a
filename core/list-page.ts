/** A page of a list, in the order of the ids; `next` is the id that the page behind goes on after, absent at the end. */
export interface RowPage<R> {
  readonly rows: readonly R[];
  readonly next: string | undefined;
}

/** Which page of a list is asked for. */
export interface PageQuery<F = undefined> {
  /** Only rows behind this id. */
  readonly after?: string | undefined;
  /** Rows at most. */
  readonly limit: number;
  /** Only rows whose id begins so. */
  readonly id?: string | undefined;
  readonly filter?: F | undefined;
  /** Whether it has taken long enough: the page may then be short, and go on. */
  readonly enough?: (() => boolean) | undefined;
}

/** The `after` with which a list begins at the first id that has this beginning. */
export function justBefore(beginning: string): string {
  const last = beginning.length - 1;
  return `${beginning.slice(0, last)}${String.fromCharCode(beginning.charCodeAt(last) - 1)}\uffff`;
}

/** Whether an id lies behind all that have this beginning. */
export function isBehind(id: string, beginning: string): boolean {
  return id > `${beginning}\uffff`;
}
