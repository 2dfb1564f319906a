import { readFile, writeFile } from 'node:fs/promises';
import { pathToFileURL } from 'node:url';
import { ACCESS, mayAnswer, ROLES, type Role, type SubjectAccess } from '../app/auth/access.ts';

const PAGE = new URL('../docs/SECURITY.md', import.meta.url);
const BLOCK = /(<!-- matrix -->\n)[\s\S]*?(<!-- end of matrix -->)/;
const STREAM =
  /(<swarm>-tasks|<swarm>-deliveries|<swarm>-jobs|KV_<swarm>-(?:directory|ownership|jobs|job-hosts))(?![\w-])/;

/** What a role may do at a subject: `pub` and `sub`, `own` where only with its own token. */
function cell(row: SubjectAccess, role: Role): string {
  const part = (way: 'publish' | 'subscribe', word: string) => {
    const extent = row[way][role];
    if (extent === undefined) return [];
    return extent === 'all' ? [word] : [`${word} own`];
  };
  return [...part('publish', 'pub'), ...part('subscribe', 'sub')].join(', ') || '–';
}

/** Role by subject, as permissions are written; what is the same for all four streams stands once. */
export function matrix(): string {
  const lines = ACCESS.map((row) => {
    const api = row.subject.startsWith('$JS.API.');
    const subject = api ? row.subject.replace(STREAM, '<stream>') : row.subject;
    return `| \`${subject}\` | ${ROLES.map((role) => cell(row, role)).join(' | ')} |`;
  });
  const answering = `| the reply subject of a request it was sent, once | ${ROLES.map((role) => (mayAnswer(role) ? 'pub' : '–')).join(' | ')} |`;
  return [
    `| subject | ${ROLES.join(' | ')} |`,
    `| --- | ${ROLES.map(() => '---').join(' | ')} |`,
    ...new Set(lines),
    answering,
    '',
  ].join('\n');
}

/** The page with the matrix as it is. */
export function withMatrix(page: string): string {
  return page.replace(BLOCK, (_block, begin: string, end: string) => `${begin}\n${matrix()}\n${end}`);
}

if (process.argv[1] !== undefined && import.meta.url === pathToFileURL(process.argv[1]).href) {
  const page = await readFile(PAGE, 'utf8');
  if (process.argv.includes('--write')) await writeFile(PAGE, withMatrix(page));
  else if (page !== withMatrix(page)) {
    console.error('docs/SECURITY.md is out of step: npx tsx scripts/docs-security.ts --write');
    process.exitCode = 1;
  }
}
