import { readFileSync, statSync } from 'node:fs';

const BLOCK = 512;
/** Every file of an archive has this time, so that the same files give the same bytes. */
const MTIME_SECONDS = 1_700_000_000;

/** Longest path that a header holds without its extension. */
export const TAR_PATH_CHARS = 99;

function headerOf(path: string, bytes: number, mode: number): Buffer {
  const header = Buffer.alloc(BLOCK);
  const octal = (value: number, at: number, width: number) =>
    header.write(`${value.toString(8).padStart(width - 1, '0')}\0`, at, 'latin1');
  header.write(path, 0, 'utf8');
  octal(mode, 100, 8);
  octal(0, 108, 8);
  octal(0, 116, 8);
  octal(bytes, 124, 12);
  octal(MTIME_SECONDS, 136, 12);
  header.fill(' ', 148, 156);
  header.write('0', 156, 'latin1');
  header.write('ustar\x0000', 257, 'latin1');
  const sum = header.reduce((total, byte) => total + byte, 0);
  header.write(`${sum.toString(8).padStart(6, '0')}\0 `, 148, 'latin1');
  return header;
}

/** A file of this machine as an entry of a ustar archive, at the same path. */
export function tarEntry(file: string): Buffer {
  return entry(file.replace(/^\/+/, ''), readFileSync(file), statSync(file).mode & 0o755 || 0o600);
}

/** A text as an entry of a ustar archive. */
export function tarText(path: string, text: string): Buffer {
  return entry(path, Buffer.from(text), 0o644);
}

function entry(path: string, content: Buffer, mode: number): Buffer {
  const padding = Buffer.alloc((BLOCK - (content.length % BLOCK)) % BLOCK);
  return Buffer.concat([headerOf(path, content.length, mode), content, padding]);
}

/** What ends an archive. */
export const TAR_END: Buffer = Buffer.alloc(2 * BLOCK);
