import type { Checked } from '../../app/configure/check.ts';
import type { Configured } from '../../app/configure/configure.ts';
import { checkedText } from './checked.ts';

const DONE = { created: 'wrote', changed: 'changed', removed: 'removed', unchanged: 'left' } as const;
const PLANNED = {
  created: 'would write',
  changed: 'would change',
  removed: 'would remove',
  unchanged: 'would leave',
} as const;

/** What `configure` did, and what the daemon said of it, for a person; a dry run begins with the difference. */
export function configuredText(configured: Configured, checked?: Checked): string {
  const { dryRun, files, notes } = configured;
  const words = dryRun ? PLANNED : DONE;
  const width = Math.max(...Object.values(words).map((word) => word.length));
  const lines = [
    summary(configured, checked),
    ...files.map(({ path, change }) => `  ${words[change].padEnd(width)}  ${path}`),
    ...activation(configured),
    ...notes.map((note) => `note: ${note}`),
  ];
  const diffs = dryRun ? files.map(({ diff }) => diff).join('') : '';
  return `${diffs}${lines.join('\n')}\n${checked === undefined ? '' : checkedText(checked)}`;
}

function summary({ client, action, dryRun, changed }: Configured, checked: Checked | undefined): string {
  const nothing = changed ? '' : ', nothing changed';
  const would = dryRun ? ' would' : '';
  if (action === 'undo') {
    if (!changed) return `${client}: nothing of Shoal is in its configuration`;
    return `${client}: its configuration${would} ${dryRun ? 'be' : 'is'} as it was without Shoal`;
  }
  if (dryRun) return `${client}: would be told to pull through Shoal${nothing}`;
  if (checked === undefined) return `${client}: is told to pull through Shoal, not checked${nothing}`;
  if (checked.faults.length > 0) return `${client}: is told to pull through Shoal, and would not${nothing}`;
  return `${client}: pulls through Shoal${nothing}`;
}

function activation({ client, changed, activation: { kind, command } }: Configured): string[] {
  if (!changed) return [];
  if (kind === 'none') return [`no restart: ${client} reads these files at each pull`];
  return [`${kind} needed: ${command}`];
}
