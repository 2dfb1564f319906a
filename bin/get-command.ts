import { type GetEnd, type GetTarget, runGet } from '../app/getter.ts';
import { openOutput } from '../app/output.ts';
import type { GetRequest } from '../core/download.ts';
import { ShoalError } from '../core/errors.ts';
import { looksLikeDigest, parseDigest } from '../core/ids.ts';
import { onAbort } from '../core/on-abort.ts';
import { parseSourceUrl } from '../core/source.ts';
import { formatDuration, parseDuration } from '../core/units.ts';
import { getWays } from './get-ways.ts';
import { print, printBytes } from './print.ts';
import { configInput } from './settings-flags.ts';
import { stopAsked } from './stop.ts';
import { openProgress, type ProgressView } from './views/progress.ts';
import { summaryText } from './views/summary.ts';

/** The flags of `get`, as commander gives them. */
export interface GetFlags {
  readonly output?: string;
  readonly digest?: string;
  readonly header?: readonly string[];
  readonly timeout?: string;
  readonly origin: boolean;
  readonly maxStale?: string;
  readonly json?: boolean;
  readonly quiet?: boolean;
}

/** Runs `get`. @throws any ShoalError */
export async function runGetCommand(
  resource: string,
  flags: GetFlags & Record<string, unknown>,
): Promise<void> {
  const request = requestOf(resource, flags);
  const timeoutMs = flags.timeout === undefined ? undefined : parseDuration(flags.timeout);
  const view = flags.quiet || flags.json ? noProgress(flags.quiet) : openProgress(process.stderr);
  const file = flags.output === undefined || flags.output === '-' ? undefined : openOutput(flags.output);
  const target: GetTarget =
    file !== undefined
      ? { kind: 'file', file }
      : flags.output === '-'
        ? { kind: 'stream', write: printBytes }
        : { kind: 'cache' };
  const stopping = new AbortController();
  const discard = (): void => file?.discard();
  void stopAsked(discard).then(() => stopping.abort(new ShoalError('ERR_CANCELLED', 'interrupted')));
  const timer =
    timeoutMs === undefined
      ? undefined
      : setTimeout(() => {
          stopping.abort(new ShoalError('ERR_TIMEOUT', `not done in ${formatDuration(timeoutMs)}`));
        }, timeoutMs);
  try {
    const ways = getWays(configInput(flags), request, target, view.note, stopping.signal);
    const job = { request, target, ...ways, onProgress: view.update, note: view.note };
    const end = await withinGrace(runGet(job, stopping.signal), stopping.signal);
    view.stop();
    await tell(end, flags, file?.path);
  } finally {
    clearTimeout(timer);
    view.stop();
    discard();
  }
}

const GRACE_MS = 2_000;

/** What was told to stop and does not is left alone. */
function withinGrace<T>(work: Promise<T>, signal: AbortSignal): Promise<T> {
  return new Promise((resolve, reject) => {
    onAbort(signal, () => void setTimeout(() => reject(signal.reason as Error), GRACE_MS));
    work.then(resolve, reject);
  });
}

async function tell({ result, via }: GetEnd, flags: GetFlags, output: string | undefined): Promise<void> {
  if (flags.json) {
    const { path, pieces: _pieces, revision: _revision, ...rest } = result;
    const where = output ?? (flags.output === '-' ? '-' : undefined);
    const shown = where === undefined ? { ...rest, path } : { ...rest, output: where };
    const line = `${JSON.stringify({ ...shown, via })}\n`;
    if (flags.output === '-') process.stderr.write(line);
    else await print(line);
    return;
  }
  if (!flags.quiet) process.stderr.write(`${summaryText(result, flags.output !== undefined)}\n`);
  if (flags.output !== undefined) return;
  if (result.path !== undefined) return print(`${result.path}\n`);
  process.stderr.write('the content is private, so that its path in the cache is not told; use -o\n');
}

function requestOf(resource: string, flags: GetFlags): GetRequest {
  if (!looksLikeDigest(resource) && !resource.startsWith('url-')) parseSourceUrl(resource);
  return {
    resource,
    ...(flags.digest !== undefined && { digest: parseDigest(flags.digest) }),
    headers: Object.fromEntries((flags.header ?? []).map(parseHeader)),
    noOrigin: !flags.origin,
    maxStaleMs: flags.maxStale === undefined ? 0 : parseDuration(flags.maxStale),
  };
}

/** @throws ERR_CONFIG_INVALID, without the value, which may be a secret */
function parseHeader(text: string): [string, string] {
  const match = /^([A-Za-z0-9!#$%&'*+.^_`|~-]+)\s*:\s*([^\r\n\0]*)$/.exec(text);
  const [, name = '', value = ''] = match ?? [];
  if (name !== '') return [name.toLowerCase(), value.trim()];
  throw new ShoalError('ERR_CONFIG_INVALID', "--header: write it as 'Name: value'");
}

function noProgress(quiet = false): ProgressView {
  const nothing = (): void => undefined;
  return {
    update: nothing,
    note: quiet ? nothing : (text) => void process.stderr.write(`${text}\n`),
    stop: nothing,
  };
}
