import { createHash, randomBytes } from 'node:crypto';
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { run } from '../../support/child.ts';
import type { Web } from './web.ts';

/** A client of files that goes by a proxy, and what it is to take. */
export interface Taker {
  /** As the table names it. */
  readonly name: string;
  /** Puts what it takes at an origin; undefined where the client is not here and cannot be got, which it has then said. */
  prepare(at: Place): Promise<Wanted | undefined>;
}

/** Where a taker puts its things. */
export interface Place {
  readonly web: Web;
  /** Its own. */
  readonly dir: string;
  /** Where an origin of HTTPS listens. */
  readonly tlsPort: number;
}

/** What a taker takes. */
export interface Wanted {
  readonly content: Buffer;
  /** Takes it by a proxy, with a folder of its own for all that it keeps; returns what came. */
  take(proxy: string, dir: string): Promise<Buffer>;
  /** Body bytes of it that left the origin so far. */
  sent(): number;
  /** What it asks for each time, which changes under its name: it goes by the proxy to the origin. */
  readonly index?: string;
  /** Its URLs are signed anew each time: each host asks the origin for itself, which costs a MiB. */
  readonly isSigned?: true;
  /** It goes through as a tunnel that nobody looks into: each time costs a copy. */
  readonly isTunnel?: true;
  [Symbol.asyncDispose]?(): PromiseLike<void>;
}

export const MIB = 1024 * 1024;

/** What most takers take. */
export const someContent = (): Buffer => randomBytes(8 * MIB);

/** In hex. */
export function hashOf(body: Buffer, kind = 'sha256'): string {
  return createHash(kind).update(body).digest('hex');
}

/** A new folder below another. */
export function folder(dir: string, name: string): string {
  const path = join(dir, name);
  mkdirSync(path, { recursive: true });
  return path;
}

/** Runs a client with this added to its environment. */
export function runWith(env: Readonly<Record<string, string>>, ...command: string[]): Promise<string> {
  return run(['env', ...Object.entries(env).map(([name, value]) => `${name}=${value}`), ...command], 60_000);
}
