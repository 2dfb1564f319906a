import { checkedJob } from '../actors/jobs/client.ts';
import { connectDaemon, type DaemonClient } from '../admin/client.ts';
import { loadSchedulerConfig } from '../app/config.ts';
import { bytesOfFile, printOfFile } from '../app/file-print.ts';
import { withJobs } from '../app/job-client.ts';
import { ShoalError, toShoalError } from '../core/errors.ts';
import { looksLikeDigest, parseDigest, parseTaskId, type TaskId, taskIdOfDigest } from '../core/ids.ts';
import { parseCount } from './count.ts';
import { print } from './print.ts';
import { configInput } from './settings-flags.ts';
import { type Held, heldText, type Verified, verifiedText } from './views/files.ts';

/** The flags of `import`, `stat` and `verify`, as commander gives them. */
export interface FilesFlags extends Readonly<Record<string, unknown>> {
  readonly pin?: string;
  readonly json?: boolean;
}

/** Runs `import`. @throws ERR_FILE_UNREADABLE, ERR_IMPORT_BUSY, ERR_STORE_FULL, errors of jobs */
export async function runImport(files: readonly string[], flags: FilesFlags): Promise<void> {
  const copies = flags.pin === undefined ? undefined : parseCount('--pin', flags.pin);
  const daemon = await daemonOf(flags);
  const imported = [];
  for (const file of files) {
    const { digest, print: of } = await printOfFile(file);
    const { taskId, length, wasHere } = await daemon.importFile(
      { digest, length: of.length },
      bytesOfFile(file),
    );
    imported.push({ file, digest, taskId, length, wasHere });
    if (!flags.json) await print(`${digest}  ${file}\n`);
  }
  const job =
    copies === undefined
      ? undefined
      : await pin(
          imported.map(({ digest }) => digest),
          copies,
          flags,
        );
  if (flags.json) await print(`${JSON.stringify({ files: imported, ...(job && { job }) }, null, 2)}\n`);
  else if (job) process.stderr.write(`pinned by job ${job.id}, ${job.state}\n`);
}

async function pin(what: string[], copies: number, flags: FilesFlags) {
  const request = checkedJob({
    kind: 'pin',
    what,
    targets: { role: 'any' },
    platform: 'all',
    pin: { copies },
  });
  return withJobs(configInput(flags), async (jobs) => (await jobs.create(request, {})).job);
}

/** Runs `stat`. @throws ERR_TASK_NOT_FOUND where nobody holds all of one of them */
export async function runStat(what: readonly string[], flags: FilesFlags): Promise<void> {
  const tasks = what.map(taskOf);
  const daemon = await daemonOf(flags);
  const rows = new Map((await daemon.cacheRows()).map((row) => [row.taskId, row]));
  const held: Held[] = [];
  for (const taskId of tasks)
    held.push({ taskId, here: rows.get(taskId), ...(await inSwarm(daemon, taskId)) });
  await print(flags.json ? `${JSON.stringify(held, null, 2)}\n` : held.map(heldText).join('\n'));
  const lacking = held.filter(({ here, holders }) => here?.complete !== true && holders === 0);
  if (lacking.length === 0) return;
  throw new ShoalError(
    'ERR_TASK_NOT_FOUND',
    `no host holds all of ${lacking.map(({ taskId }) => taskId).join(', ')}`,
  );
}

/** Runs `verify`. @throws ERR_DIGEST_MISMATCH where one of them is not what the swarm holds */
export async function runVerify(files: readonly string[], flags: FilesFlags): Promise<void> {
  const daemon = await daemonOf(flags);
  const seen: Verified[] = [];
  for (const file of files) {
    const { digest, print: of } = await printOfFile(file);
    const here = await daemon.tasksLike(of);
    const { holders } = await inSwarm(daemon, taskIdOfDigest(digest));
    const verified = { file, digest, length: of.length, here, holders };
    seen.push(verified);
    if (!flags.json) await print(verifiedText(verified));
  }
  if (flags.json) await print(`${JSON.stringify(seen, null, 2)}\n`);
  const strange = seen.filter(({ here, holders }) => here.length === 0 && holders === 0);
  if (strange.length === 0) return;
  throw new ShoalError(
    'ERR_FILE_UNKNOWN',
    `${strange.length} of ${seen.length} files are nothing that the swarm holds`,
  );
}

/** Whom the schedulers know to hold it; nobody where none is there to be asked. */
async function inSwarm(daemon: DaemonClient, taskId: TaskId): Promise<Pick<Held, 'holders' | 'hosts'>> {
  try {
    const { holders, peers } = await daemon.task(taskId);
    const whole = peers.filter(({ have, pieces }) => have === pieces);
    return { holders, hosts: whole.map(({ hostId }) => hostId) };
  } catch (error) {
    const { code } = toShoalError(error);
    if (code !== 'ERR_TASK_NOT_FOUND' && !code.startsWith('ERR_BUS_')) throw error;
    return { holders: 0, hosts: [] };
  }
}

function taskOf(text: string): TaskId {
  return looksLikeDigest(text) && text.includes(':')
    ? taskIdOfDigest(parseDigest(text))
    : parseTaskId(text.trim());
}

function daemonOf(flags: FilesFlags): Promise<DaemonClient> {
  const input = configInput({ ...flags });
  return connectDaemon(loadSchedulerConfig(input).dir);
}
