import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { z } from 'zod';

const FILE = 'refused-daemon';
/** Later it is history. */
const KEPT_MS = 3_600_000;
const noteSchema = z.object({ pid: z.int(), atMs: z.number() });

/** Leaves word in a directory that this process was refused it, since another daemon has it. */
export function noteRefused(dir: string): void {
  try {
    writeFileSync(join(dir, FILE), JSON.stringify({ pid: process.pid, atMs: Date.now() }), { mode: 0o600 });
  } catch {
    // Whoever started it is told anyway.
  }
}

/** The last daemon that was refused a directory within the hour. */
export function refusedDaemon(dir: string): { readonly pid: number; readonly agoMs: number } | undefined {
  try {
    const { pid, atMs } = noteSchema.parse(JSON.parse(readFileSync(join(dir, FILE), 'utf8')));
    const agoMs = Math.max(0, Date.now() - atMs);
    return agoMs < KEPT_MS ? { pid, agoMs } : undefined;
  } catch {
    return undefined;
  }
}
