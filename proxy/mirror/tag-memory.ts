import { readFileSync } from 'node:fs';
import { rename, writeFile } from 'node:fs/promises';
import type { Cancel, Clock } from '../../core/clock.ts';
import { type Digest, isDigest } from '../../core/ids.ts';
import type { Logger } from '../../core/logger.ts';

/** A tag of a repository. */
export interface Tag {
  readonly registry: string;
  readonly repository: string;
  readonly tag: string;
}

/** What a registry said of a tag. */
export interface TagAnswer {
  readonly digest: Digest;
  readonly mediaType: string | undefined;
}

interface TagMemoryOptions {
  readonly file: string;
  readonly clock: Clock;
  readonly logger: Logger;
  /** False: nothing is remembered, and no file written. */
  readonly enabled: boolean;
}

type Row = readonly [name: string, digest: string, mediaType: string, atMs: number];

const MOST_TAGS = 10_000;
const SAVE_AFTER_MS = 1_000;

/** What registries said of tags last, kept in a file over restarts. */
export class TagMemory {
  readonly #options: TagMemoryOptions;
  /** The one that was told longest ago first. */
  readonly #rows: Map<string, Row>;
  #timer: Cancel | undefined;
  #saving: Promise<void> = Promise.resolve();

  constructor(options: TagMemoryOptions) {
    this.#options = options;
    this.#rows = options.enabled ? readRows(options.file) : new Map();
  }

  /** The last answer, where it is not older than `mostMs`. */
  get(tag: Tag, mostMs: number): TagAnswer | undefined {
    const [, digest = '', mediaType = '', atMs = 0] = this.#rows.get(nameOf(tag)) ?? [];
    if (!isDigest(digest) || this.#options.clock.wall() - atMs > mostMs) return undefined;
    return { digest, mediaType: mediaType === '' ? undefined : mediaType };
  }

  set(tag: Tag, { digest, mediaType }: TagAnswer): void {
    const { enabled, clock } = this.#options;
    if (!enabled) return;
    const name = nameOf(tag);
    this.#rows.delete(name);
    this.#rows.set(name, [name, digest, mediaType ?? '', clock.wall()]);
    const [oldest] = this.#rows.size > MOST_TAGS ? this.#rows.keys() : [];
    if (oldest !== undefined) this.#rows.delete(oldest);
    this.#timer ??= clock.after(SAVE_AFTER_MS, () => this.#save());
  }

  /** Writes what is not written yet. */
  async close(): Promise<void> {
    if (this.#timer !== undefined) this.#save();
    await this.#saving;
  }

  #save(): void {
    this.#timer?.();
    this.#timer = undefined;
    const { file, logger } = this.#options;
    const text = [...this.#rows.values()].map((row) => `${JSON.stringify(row)}\n`).join('');
    this.#saving = this.#saving.then(async () => {
      try {
        await writeFile(`${file}.new`, text, { mode: 0o600 });
        await rename(`${file}.new`, file);
      } catch (err) {
        logger.warn({ err }, 'the tags could not be written');
      }
    });
  }
}

function nameOf({ registry, repository, tag }: Tag): string {
  return `${registry}/${repository}:${tag}`;
}

/** Rows of the file, one a line; a line that was cut or damaged is left out. */
function readRows(file: string): Map<string, Row> {
  const rows = new Map<string, Row>();
  let text: string;
  try {
    text = readFileSync(file, 'utf8');
  } catch {
    return rows;
  }
  for (const line of text.split('\n')) {
    const row = parseRow(line);
    if (row !== undefined) rows.set(row[0], row);
  }
  return rows;
}

function parseRow(line: string): Row | undefined {
  let value: unknown;
  try {
    value = JSON.parse(line);
  } catch {
    return undefined;
  }
  if (!Array.isArray(value)) return undefined;
  const [name, digest, mediaType, atMs] = value as readonly unknown[];
  if (typeof name !== 'string' || typeof digest !== 'string' || !isDigest(digest)) return undefined;
  if (typeof mediaType !== 'string' || typeof atMs !== 'number') return undefined;
  return [name, digest, mediaType, atMs];
}
