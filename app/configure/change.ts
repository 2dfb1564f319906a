import { unifiedDiff } from './diff.ts';
import type { FileEdit } from './edit.ts';
import { checkWritable, type FoundFile, findFile, removeEmpty, writeBack, writeChange } from './files.ts';

/** What happens to one file. */
export interface FileChange {
  readonly path: string;
  readonly change: 'created' | 'changed' | 'removed' | 'unchanged';
  /** As `diff -u` writes it; empty where unchanged. */
  readonly diff: string;
}

/** A change worked out and not yet made. */
export interface PlannedChange extends FileChange {
  /** Whether Shoal's part goes in or out. */
  readonly way: 'put' | 'take';
  /** Makes it; `left` are directories once made for files now gone. Returns those that are to go where nothing is left in them. */
  apply(left: readonly string[]): Promise<readonly string[]>;
}

/** Works out how a file comes to hold Shoal's part. @throws ERR_CONFIG_CONFLICT, ERR_CONFIG_DENIED */
export async function planPut(edit: FileEdit): Promise<PlannedChange> {
  const found = await findFile(edit.path);
  const base = withoutOurs(edit, found);
  const next = edit.put(base);
  return planned('put', found, next, async (left) => {
    if (next === undefined || next === base) {
      return found.memory === undefined ? [] : await writeBack(found, next);
    }
    const known = found.memory?.madeDirs ?? [];
    const heir = left.filter((dir) => found.path.startsWith(`${dir}/`) && !known.includes(dir));
    if (next === found.text && heir.length === 0) return [];
    await writeChange(found, next, { original: base ?? null, ours: edit.ours }, heir);
    return [];
  });
}

/** Works out how Shoal's part leaves a file. @throws ERR_CONFIG_CONFLICT, ERR_CONFIG_DENIED */
export async function planTake(edit: Pick<FileEdit, 'path' | 'take'>): Promise<PlannedChange> {
  const found = await findFile(edit.path);
  const base = withoutOurs(edit, found);
  return planned('take', found, base, async () =>
    found.memory === undefined && base === found.text ? [] : await writeBack(found, base),
  );
}

/** Makes all changes, after a look at whether all can be made. @throws ERR_CONFIG_DENIED, ERR_STORE_FULL, ERR_OUTPUT */
export async function applyAll(changes: readonly PlannedChange[]): Promise<void> {
  for (const { path, change } of changes) if (change !== 'unchanged') await checkWritable(path);
  const emptied: string[] = [];
  const takes = changes.filter(({ way }) => way === 'take');
  const puts = changes.filter(({ way }) => way === 'put');
  for (const change of [...takes, ...puts]) emptied.push(...(await change.apply(emptied)));
  await removeEmpty(emptied);
}

/** The text as it would be without Shoal: as it was where nobody else wrote since, else theirs less ours. */
function withoutOurs(edit: Pick<FileEdit, 'take'>, found: FoundFile): string | undefined {
  const { text, memory, untouched } = found;
  if (text === undefined) return undefined;
  if (untouched && memory !== undefined) return memory.original ?? undefined;
  const rest = edit.take(text, memory);
  const gone = rest !== text && rest.trim() === '' && (memory === undefined || memory.original === null);
  return gone ? undefined : rest;
}

function planned(
  way: 'put' | 'take',
  { path, text }: FoundFile,
  next: string | undefined,
  apply: PlannedChange['apply'],
): PlannedChange {
  const change =
    text === next ? 'unchanged' : text === undefined ? 'created' : next === undefined ? 'removed' : 'changed';
  return { way, path, change, diff: unifiedDiff(path, text, next), apply };
}
