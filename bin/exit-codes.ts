/** What the exit code of every command means. */
export const EXIT_CODES: readonly (readonly [number, string])[] = [
  [0, 'done'],
  [1, 'failure'],
  [2, 'usage'],
  [3, 'not found'],
  [4, 'digest mismatch'],
  [5, 'origin refused'],
  [6, 'no space'],
  [75, 'try again'],
  [124, 'timeout'],
  [130, 'interrupted'],
];

/** The exit codes as the end of a help text, in lines of at most 80 columns. */
export function exitCodesText(): string {
  const all = EXIT_CODES.map(([code, meaning]) => `${code} ${meaning}`);
  return `\nExit codes: ${all.slice(0, 5).join(', ')},\n${all.slice(5).join(', ')}.`;
}
