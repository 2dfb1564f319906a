/** The id of a task as people write it: a digest stands for its task. */
export function taskIdOf(text: string): string {
  return text
    .trim()
    .replace(/^(sha256|sha512):/i, '$1-')
    .toLowerCase();
}
