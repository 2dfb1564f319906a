import { createTwoFilesPatch, FILE_HEADERS_ONLY } from 'diff';

/** The difference between two texts as `diff -u` writes it; `undefined` stands for no file, equal texts give ''. */
export function unifiedDiff(path: string, before: string | undefined, after: string | undefined): string {
  if (before === after) return '';
  const [from, to] = [before, after].map((text) => (text === undefined ? '/dev/null' : path));
  return createTwoFilesPatch(from ?? path, to ?? path, before ?? '', after ?? '', undefined, undefined, {
    context: 3,
    headerOptions: FILE_HEADERS_ONLY,
  });
}
