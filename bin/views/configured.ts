import type { Configured } from '../../app/configure/configure.ts';

const DONE = { created: 'wrote', changed: 'changed', removed: 'removed', unchanged: 'left' } as const;
const PLANNED = {
  created: 'would write',
  changed: 'would change',
  removed: 'would remove',
  unchanged: 'would leave',
} as const;

/** What `configure` did, for a person; a dry run begins with the difference. */
export function configuredText(configured: Configured): string {
  const { dryRun, files, notes } = configured;
  const words = dryRun ? PLANNED : DONE;
  const width = Math.max(...Object.values(words).map((word) => word.length));
  const lines = [
    summary(configured),
    ...files.map(({ path, change }) => `  ${words[change].padEnd(width)}  ${path}`),
    ...activation(configured),
    ...notes.map((note) => `note: ${note}`),
  ];
  const diffs = dryRun ? files.map(({ diff }) => diff).join('') : '';
  return `${diffs}${lines.join('\n')}\n`;
}

function summary({ client, action, dryRun, changed }: Configured): string {
  if (!changed) {
    return action === 'undo'
      ? `${client}: nothing of Shoal is in its configuration`
      : `${client}: pulls through Shoal already, nothing changed`;
  }
  const would = dryRun ? ' would' : '';
  if (action === 'undo')
    return `${client}: its configuration${would} ${dryRun ? 'be' : 'is'} as it was without Shoal`;
  return `${client}:${would} ${dryRun ? 'pull' : 'pulls'} through Shoal`;
}

function activation({ client, changed, activation: { kind, command } }: Configured): string[] {
  if (!changed) return [];
  if (kind === 'none') return [`no restart: ${client} reads these files at each pull`];
  return [`${kind} needed: ${command}`];
}
