import { isAbsolute, normalize } from 'node:path';
import { ShoalError } from '../core/errors.ts';
import { type Digest, looksLikeDigest, parseDigest } from '../core/ids.ts';
import { parseSourceUrl } from '../core/source.ts';

/** One line of a list: what to get, and the path to put it at, below a folder. */
export interface ListEntry {
  readonly resource: string;
  readonly digest: Digest | undefined;
  readonly path: string;
}

/** Lines of sha256sum and sha512sum, and of `shoal import`. */
const SUM = /^((?:sha256:)?[0-9a-f]{64}|(?:sha512:)?[0-9a-f]{128})[ \t]+\*?(.+)$/i;

/**
 * Reads a list: lines of `URL [DIGEST] [PATH]`, or of `DIGEST PATH` as sha256sum and `shoal import` print them. Of the
 * latter the content is below `base`, or in the swarm where there is none. Empty lines and those with # are left out.
 * @throws ERR_CONFIG_INVALID, with the number of the line
 */
export function parseGetList(text: string, base: string | undefined): ListEntry[] {
  const taken = new Map<string, number>();
  return text.split('\n').flatMap((raw, index) => {
    const line = raw.trim();
    if (line === '' || line.startsWith('#')) return [];
    const number = index + 1;
    try {
      const entry = entryOf(line, base);
      const before = taken.get(entry.path);
      if (before !== undefined) throw invalid(`${entry.path} is the path of line ${before} too`);
      taken.set(entry.path, number);
      return [entry];
    } catch (error) {
      if (!(error instanceof ShoalError)) throw error;
      throw new ShoalError('ERR_CONFIG_INVALID', `line ${number} of the list: ${error.message}`, {
        cause: error,
      });
    }
  });
}

function entryOf(line: string, base: string | undefined): ListEntry {
  const sum = SUM.exec(line);
  if (sum !== null) {
    const [, hex = '', name = ''] = sum;
    const digest = parseDigest(hex.includes(':') ? hex : `sha${hex.length === 64 ? 256 : 512}:${hex}`);
    const path = inside(name.replace(/^\.\//, ''));
    const resource = base === undefined ? digest : below(base, path);
    return { resource, digest: base === undefined ? undefined : digest, path };
  }
  const [, resource = '', second = '', rest = ''] = /^(\S+)(?:[ \t]+(\S+))?(?:[ \t]+(.+))?$/.exec(line) ?? [];
  const isDigest = looksLikeDigest(second);
  const named = isDigest || second === '-' ? rest : [second, rest].filter(Boolean).join(' ');
  if (!looksLikeDigest(resource)) parseSourceUrl(resource);
  return {
    resource,
    digest: isDigest ? parseDigest(second) : undefined,
    path: inside(named === '' ? nameOf(resource) : named),
  };
}

/** @throws ERR_CONFIG_INVALID */
function nameOf(resource: string): string {
  if (looksLikeDigest(resource)) return resource.replace(/^sha\d+[:-]/i, '');
  const last = new URL(resource).pathname.split('/').at(-1) ?? '';
  let name = last;
  try {
    name = decodeURIComponent(last);
  } catch {
    // It is no text: the name stays as it is written.
  }
  if (name === '' || name.includes('/')) throw invalid('the URL names no file: give a path behind it');
  return name;
}

/** A list comes from elsewhere: nothing is written outside of the folder. @throws ERR_CONFIG_INVALID */
function inside(path: string): string {
  const clean = normalize(path);
  const isOut = isAbsolute(clean) || clean === '..' || clean.startsWith('../') || clean.endsWith('/');
  if (isOut || clean === '.' || clean.includes('\0'))
    throw invalid(`${path} is no path of a file below the folder`);
  return clean;
}

function below(base: string, path: string): string {
  const { url } = parseSourceUrl(base.endsWith('/') ? base : `${base}/`);
  return new URL(path.split('/').map(encodeURIComponent).join('/'), url).href;
}

function invalid(message: string): ShoalError {
  return new ShoalError('ERR_CONFIG_INVALID', message);
}
