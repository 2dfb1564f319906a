import type { GetRequest } from '../core/download.ts';
import { ShoalError } from '../core/errors.ts';
import { looksLikeDigest, parseDigest } from '../core/ids.ts';
import { parseSourceUrl } from '../core/source.ts';
import { parseDuration } from '../core/units.ts';

/** The flags of `get`, as commander gives them. */
export interface GetFlags {
  readonly output?: string;
  readonly digest?: string;
  readonly header?: readonly string[];
  readonly range?: string;
  readonly filterQuery?: readonly string[];
  readonly list?: string;
  readonly base?: string;
  readonly atOnce?: string;
  readonly ifChanged?: boolean;
  readonly clobber?: boolean;
  readonly timeout?: string;
  readonly origin: boolean;
  readonly maxStale?: string;
  readonly json?: boolean;
  readonly quiet?: boolean;
}

/** What is asked for, as the flags say it. @throws ERR_CONFIG_INVALID, ERR_SOURCE_URL_INVALID, ERR_DIGEST_INVALID */
export function getRequestOf(resource: string, flags: GetFlags): GetRequest {
  if (!looksLikeDigest(resource) && !resource.startsWith('url-')) parseSourceUrl(resource);
  return {
    resource,
    ...(flags.digest !== undefined && { digest: parseDigest(flags.digest) }),
    headers: Object.fromEntries((flags.header ?? []).map(parseHeader)),
    noOrigin: !flags.origin,
    maxStaleMs: flags.maxStale === undefined ? 0 : parseDuration(flags.maxStale),
    ...(flags.filterQuery !== undefined && { filteredQuery: [...flags.filterQuery] }),
    ...(flags.range !== undefined && { range: parseRangeFlag(flags.range) }),
  };
}

/** `A-B`, `A-` and `-N` as a Range header has them. @throws ERR_CONFIG_INVALID */
function parseRangeFlag(text: string): string {
  const [, first = '', last = ''] = /^(\d{0,15})-(\d{0,15})$/.exec(text.trim()) ?? [];
  const isEmpty = first === '' && last === '';
  if (!isEmpty && (first === '' || last === '' || Number(first) <= Number(last)))
    return `bytes=${first}-${last}`;
  throw new ShoalError(
    'ERR_CONFIG_INVALID',
    '--range: write it as A-B, both included and counted from 0, as A- or as -N for the last N bytes',
  );
}

/** @throws ERR_CONFIG_INVALID, without the value, which may be a secret */
function parseHeader(text: string): [string, string] {
  const match = /^([A-Za-z0-9!#$%&'*+.^_`|~-]+)\s*:\s*([^\r\n\0]*)$/.exec(text);
  const [, name = '', value = ''] = match ?? [];
  if (name !== '') return [name.toLowerCase(), value.trim()];
  throw new ShoalError('ERR_CONFIG_INVALID', "--header: write it as 'Name: value'");
}
