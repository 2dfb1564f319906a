import { ShoalError } from '../../core/errors.ts';

/** What was written down when a file was changed, so that it can be taken back. */
export interface Memory {
  /** The text before; null where there was no file. */
  readonly original: string | null;
  /** Values that were put in, where the text has no room for marks. */
  readonly ours: Readonly<Record<string, unknown>>;
}

/** One file of a client, and how Shoal's part gets in and out of it; pure. */
export interface FileEdit {
  readonly path: string;
  readonly ours: Readonly<Record<string, unknown>>;
  /** The text with Shoal's part; `undefined` stands for no file, the same text for nothing to do. @throws ERR_CONFIG_CONFLICT */
  put(base: string | undefined): string | undefined;
  /** The text without Shoal's part, after others have edited it. @throws ERR_CONFIG_CONFLICT */
  take(current: string, memory: Memory | undefined): string;
}

/** A file whose content leaves no safe way to change it. */
export function conflict(path: string, why: string, cause?: unknown): ShoalError {
  return new ShoalError('ERR_CONFIG_CONFLICT', `${path}: ${why}`, { cause });
}
