/** Copies that left an origin for each client: the first time, and each time after. */
export class Copies {
  readonly #rows = new Map<string, number[]>();

  note(client: string, copies: number): void {
    this.#rows.set(client, [...(this.#rows.get(client) ?? []), copies]);
  }

  /** As a table, a line a client. */
  toString(): string {
    const rows = [...this.#rows].map(([client, times]) => [
      client,
      ...times.map((copies) => copies.toFixed(3)),
    ]);
    const most = Math.max(...rows.map((row) => row.length));
    const names = ['first', 'second', 'other host'].slice(0, most - 1);
    const lines = [['client', ...names], ['---', ...names.map(() => '---:')], ...rows];
    return lines.map((cells) => `| ${cells.join(' | ')} |`).join('\n');
  }
}
