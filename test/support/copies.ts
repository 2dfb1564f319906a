/** Copies that left an origin: a row a client, a column a time. */
export class Copies {
  readonly #columns: readonly string[];
  readonly #rows = new Map<string, Map<string, string>>();

  constructor(columns: readonly string[]) {
    this.#columns = columns;
  }

  note(client: string, column: string, copies: number | string): void {
    const row = this.#rows.get(client) ?? new Map<string, string>();
    row.set(column, typeof copies === 'number' ? copies.toFixed(3) : copies);
    this.#rows.set(client, row);
  }

  /** As a table. */
  toString(): string {
    const rows = [...this.#rows].map(([client, row]) => [
      client,
      ...this.#columns.map((column) => row.get(column) ?? ''),
    ]);
    const lines = [['client', ...this.#columns], ['---', ...this.#columns.map(() => '---:')], ...rows];
    return lines.map((cells) => `| ${cells.join(' | ')} |`).join('\n');
  }
}
