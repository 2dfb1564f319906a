import type { ComponentChildren } from 'preact';

/** A column of a table: its title, what stands in it, and whether that is a number. */
export interface Column<R> {
  readonly title: string;
  readonly cell: (row: R) => ComponentChildren;
  readonly number?: boolean;
}

interface Props<R> {
  readonly caption: string;
  readonly columns: readonly Column<R>[];
  readonly rows: readonly R[] | undefined;
  readonly keyOf: (row: R) => string;
  readonly empty: string;
}

/** Rows below their titles. */
export function Table<R>({ caption, columns, rows, keyOf, empty }: Props<R>) {
  return (
    // biome-ignore lint/a11y/noNoninteractiveTabindex: what scrolls must be reached by the keyboard.
    <section class="scroll" tabIndex={0} aria-label={caption}>
      <table>
        <caption class="hidden">{caption}</caption>
        <thead>
          <tr>
            {columns.map(({ title, number }) => (
              <th key={title} scope="col" class={number ? 'number' : ''}>
                {title}
              </th>
            ))}
          </tr>
        </thead>
        <tbody>
          {rows?.map((row) => (
            <tr key={keyOf(row)}>
              {columns.map(({ title, cell, number }) => (
                <td key={title} class={number ? 'number' : ''}>
                  {cell(row)}
                </td>
              ))}
            </tr>
          ))}
          {rows?.length === 0 && (
            <tr>
              <td colSpan={columns.length} class="quiet">
                {empty}
              </td>
            </tr>
          )}
          {rows === undefined && (
            <tr>
              <td colSpan={columns.length} class="quiet">
                asking…
              </td>
            </tr>
          )}
        </tbody>
      </table>
    </section>
  );
}
