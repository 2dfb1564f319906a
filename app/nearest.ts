/** The known name that a text was most likely meant to be: at most two letters apart; undefined where none is. */
export function nearest(text: string, names: readonly string[]): string | undefined {
  const ranked = names
    .map((name) => ({ name, apart: distance(text, name) }))
    .filter(({ name, apart }) => apart <= Math.min(2, Math.floor(name.length / 3)))
    .sort((a, b) => a.apart - b.apart);
  return ranked[0]?.name;
}

/** Letters to put in, leave out, change or swap with the next. @see Damerau, optimal string alignment */
function distance(a: string, b: string): number {
  let before: number[] = [];
  let last = Array.from({ length: b.length + 1 }, (_, index) => index);
  for (let row = 1; row <= a.length; row++) {
    const now = [row];
    for (let column = 1; column <= b.length; column++) {
      const isSame = a[row - 1] === b[column - 1];
      const swapped = row > 1 && column > 1 && a[row - 1] === b[column - 2] && a[row - 2] === b[column - 1];
      const ways = [
        (last[column] ?? 0) + 1,
        (now[column - 1] ?? 0) + 1,
        (last[column - 1] ?? 0) + (isSame ? 0 : 1),
        ...(swapped ? [(before[column - 2] ?? 0) + 1] : []),
      ];
      now.push(Math.min(...ways));
    }
    before = last;
    last = now;
  }
  return last[b.length] ?? 0;
}
