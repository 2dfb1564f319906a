import { type Command, Option } from 'commander';
import type { GetRequest } from '../../admin/control.ts';
import { type GetEnd, type GetTarget, runGet } from '../../app/getter.ts';
import { openOutput } from '../../app/output.ts';
import { ShoalError } from '../../core/errors.ts';
import { looksLikeDigest, parseDigest } from '../../core/ids.ts';
import { parseSourceUrl } from '../../core/source.ts';
import { formatDuration, parseDuration } from '../../core/units.ts';
import { getWays } from '../get-ways.ts';
import { print, printBytes } from '../print.ts';
import { addSettings, configInput } from '../settings-flags.ts';
import { stopAsked } from '../stop.ts';
import { openProgress, type ProgressView } from '../views/progress.ts';
import { summaryText } from '../views/summary.ts';
import { example } from './daemons.ts';

interface GetFlags {
  readonly output?: string;
  readonly digest?: string;
  readonly header?: readonly string[];
  readonly timeout?: string;
  readonly origin: boolean;
  readonly maxStale?: string;
  readonly json?: boolean;
  readonly quiet?: boolean;
}

/** Adds `get`. */
export function addGet(program: Command): void {
  const get = program
    .command('get')
    .argument('<RESOURCE>', 'a URL, or the digest of what a host of the swarm holds')
    .summary('get a file')
    .description(
      'Get a file through the daemon in --dir. Without a daemon it joins the swarm of --nats for the time of the download; with neither it downloads directly.',
    )
    .option(
      '-o, --output <FILE>',
      'where to put it, whole and verified or not at all; - is standard output, in order. Without it the file stays in the cache and its path is printed',
    )
    .option('--digest <DIGEST>', 'sha256:… or sha512:… that the content must have')
    .addOption(
      new Option(
        '--header <N: V>',
        'header for the origin, and for nobody else; may be given several times',
      ).argParser((text: string, former: string[] | undefined) => [...(former ?? []), text]),
    )
    .option('--timeout <D>', 'give up after this time, for example 90s or 10m')
    .option('--no-origin', 'take it from hosts of the swarm alone')
    .option('--max-stale <D>', 'let an answer of the origin this old, got by any host, do')
    .option('--json', 'print the result as one JSON object (to standard error with -o -)')
    .option('-q, --quiet', 'print errors only')
    .addHelpText(
      'after',
      example(
        'shoal get https://example.org/big.tar -o big.tar',
        'shoal get https://example.org/big.tar --digest sha256:… -o - | tar x',
        'shoal get sha256:… -o layer.tar --no-origin',
        "shoal get https://example.org/private --header 'Authorization: Bearer …' -o private",
      ),
    )
    .action((resource: string, _flags: unknown, command: Command) => runCommand(resource, command.opts()));
  addSettings(get, [
    'dir',
    'nats',
    'nats-creds',
    'swarm',
    'advertise',
    'zone',
    'allow-origin',
    'only-origin',
    'limit-up',
    'limit-down',
    'log-level',
  ]);
}

async function runCommand(resource: string, flags: GetFlags & Record<string, unknown>): Promise<void> {
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
    const onAbort = () => void setTimeout(() => reject(signal.reason as Error), GRACE_MS);
    signal.addEventListener('abort', onAbort, { once: true });
    work.then(resolve, reject);
  });
}

async function tell({ result, via }: GetEnd, flags: GetFlags, output: string | undefined): Promise<void> {
  if (flags.json) {
    const { path, ...rest } = result;
    const where = output ?? (flags.output === '-' ? '-' : undefined);
    const shown = where === undefined ? { ...rest, path } : { ...rest, output: where };
    const line = `${JSON.stringify({ ...shown, via })}\n`;
    if (flags.output === '-') process.stderr.write(line);
    else await print(line);
    return;
  }
  if (!flags.quiet) process.stderr.write(`${summaryText(result)}\n`);
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
