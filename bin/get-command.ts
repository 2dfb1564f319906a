import { statSync } from 'node:fs';
import { type GetEnd, type GetTarget, runGet } from '../app/getter.ts';
import { openOutput } from '../app/output.ts';
import { ShoalError } from '../core/errors.ts';
import { type GetFlags, getRequestOf } from './get-request.ts';
import { openGetStop, withinGrace } from './get-stop.ts';
import { getWays } from './get-ways.ts';
import { print, printBytes } from './print.ts';
import { configInput } from './settings-flags.ts';
import { openProgress, type ProgressView } from './views/progress.ts';
import { summaryText } from './views/summary.ts';

/** Runs `get`. @throws any ShoalError */
export async function runGetCommand(
  resource: string | undefined,
  flags: GetFlags & Record<string, unknown>,
): Promise<void> {
  if (flags.list !== undefined) {
    if (resource !== undefined) throw usage('give a RESOURCE or --list, not both');
    const { runGetList } = await import('./get-list-command.ts');
    return runGetList(flags.list, flags);
  }
  if (resource === undefined) throw usage('give a RESOURCE, or a list of them by --list');
  const request = getRequestOf(resource, flags);
  const isFile = flags.output !== undefined && flags.output !== '-';
  if (flags.output === undefined && flags.range !== undefined) throw usage('--range goes with -o');
  const isThere = isFile && statSync(flags.output ?? '', { throwIfNoEntry: false })?.isFile() === true;
  if (isThere && flags.clobber === false) {
    if (!flags.quiet) process.stderr.write(`${flags.output} is there already: left as it is\n`);
    return;
  }
  const view = flags.quiet || flags.json ? noProgress(flags.quiet) : openProgress(process.stderr);
  const file = flags.output === undefined || flags.output === '-' ? undefined : openOutput(flags.output);
  const target: GetTarget =
    file !== undefined
      ? { kind: 'file', file }
      : flags.output === '-'
        ? { kind: 'stream', write: printBytes }
        : { kind: 'cache' };
  const discard = (): void => file?.discard();
  const stop = openGetStop(flags.timeout, discard);
  try {
    const ways = getWays(configInput(flags), [request], target, view.note, stop.signal);
    const ifChanged = isThere && flags.ifChanged === true;
    const job = { request, target, ifChanged, ...ways, onProgress: view.update, note: view.note };
    const end = await withinGrace(runGet(job, stop.signal), stop.signal);
    view.stop();
    await tell(end, flags, file?.path);
  } finally {
    stop.end();
    view.stop();
    discard();
  }
}

async function tell(
  { result, via, unchanged }: GetEnd,
  flags: GetFlags,
  output: string | undefined,
): Promise<void> {
  if (flags.json) {
    const { path, pieces: _pieces, revision: _revision, ...rest } = result;
    const where = output ?? (flags.output === '-' ? '-' : undefined);
    const shown = where === undefined ? { ...rest, path } : { ...rest, output: where };
    const line = `${JSON.stringify({ ...shown, via, ...(unchanged && { unchanged }) })}\n`;
    if (flags.output === '-') process.stderr.write(line);
    else await print(line);
    return;
  }
  if (!flags.quiet) process.stderr.write(`${summaryText(result, flags.output !== undefined)}\n`);
  if (unchanged && !flags.quiet) process.stderr.write(`${output} has these bytes already: left as it is\n`);
  if (flags.output !== undefined) return;
  if (result.path !== undefined) return print(`${result.path}\n`);
  process.stderr.write('the content is private, so that its path in the cache is not told; use -o\n');
}

function usage(message: string): ShoalError {
  return new ShoalError('ERR_CONFIG_INVALID', message);
}

function noProgress(quiet = false): ProgressView {
  const nothing = (): void => undefined;
  return {
    update: nothing,
    note: quiet ? nothing : (text) => void process.stderr.write(`${text}\n`),
    stop: nothing,
  };
}
