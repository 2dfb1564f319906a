import { randomBytes } from 'node:crypto';
import { rmSync, statfsSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { HostStatus } from '../../admin/control.ts';
import { refusedDaemon } from '../../admin/refused-daemon.ts';
import { toShoalError } from '../../core/errors.ts';
import { formatBytes, formatDuration } from '../../core/units.ts';
import { descriptorLimit } from '../descriptors.ts';
import { type Finding, fault, ok, warning } from './finding.ts';

/** What a daemon should have for 1,000 clients and 500 hosts. */
const ENOUGH_DESCRIPTORS = 4_096;
/** Less room on the disk than this, and downloads are about to fail. */
const LOW_BYTES = 64 * 1024 * 1024;
const PROXY_MS = 3_000;

/** Looks at what a daemon has of its machine: directory, disk, descriptors, proxy port. */
export async function checkMachine(dir: string, status: HostStatus | undefined): Promise<Finding[]> {
  return [
    ...twice(dir),
    ...disk(dir),
    ...(status === undefined ? [] : [descriptors(status), await proxyPort(status)]),
  ];
}

function twice(dir: string): Finding[] {
  const other = refusedDaemon(dir);
  if (other === undefined) return [];
  const says = `a second daemon (pid ${other.pid}) was started on ${dir} ${formatDuration(other.agoMs)} ago, and ended`;
  const fix =
    'give each daemon its own --dir (and --data-port, --proxy-port, --admin-port), or start one only';
  return [fault('directory', says, fix)];
}

function disk(dir: string): Finding[] {
  let freeBytes: number;
  try {
    const facts = statfsSync(dir);
    freeBytes = facts.bavail * facts.bsize;
  } catch (error) {
    const { code, message } = error instanceof Error && 'code' in error ? error : toShoalError(error);
    if (code === 'ENOENT') return [];
    return [
      fault('disk', `${dir} cannot be looked at: ${message}`, 'run as the user of the daemon, or root'),
    ];
  }
  const fix = `free space on the disk of ${dir}, or start the daemon with a smaller --cache-size`;
  const why = unwritable(dir);
  if (why === 'ENOSPC') return [fault('disk', `${dir} is full`, fix)];
  if (why === 'EROFS') return [fault('disk', `${dir} can only be read`, 'mount it for writing')];
  const room = `${formatBytes(freeBytes)} free in ${dir}`;
  return [freeBytes < LOW_BYTES ? fault('disk', `only ${room}`, fix) : ok('disk', room)];
}

/** Why a page cannot be written there, as far as this user may try. */
function unwritable(dir: string): string | undefined {
  const file = join(dir, `doctor-${randomBytes(4).toString('hex')}`);
  try {
    writeFileSync(file, Buffer.alloc(64 * 1024), { flag: 'wx', mode: 0o600 });
    return undefined;
  } catch (error) {
    return error instanceof Error && 'code' in error ? String(error.code) : undefined;
  } finally {
    rmSync(file, { force: true });
  }
}

function descriptors({ pid }: HostStatus): Finding {
  const most = descriptorLimit(`/proc/${pid}/limits`);
  if (most === undefined) return ok('descriptors', 'as many as the system has, or not told');
  if (most >= ENOUGH_DESCRIPTORS) return ok('descriptors', `${most} for the daemon`);
  const says = `${most} are few: downloads and clients wait for each other`;
  return warning('descriptors', says, 'LimitNOFILE=65536 in its unit, or `ulimit -n 65536` before it starts');
}

async function proxyPort({ proxy }: HostStatus): Promise<Finding> {
  if (proxy === undefined) {
    return warning('proxy port', 'it does not listen yet', 'see the log of the daemon');
  }
  const url = `http://${proxy.replace(/^0\.0\.0\.0:/, '127.0.0.1:').replace(/^\[::\]:/, '[::1]:')}`;
  const answer = await fetch(`${url}/healthz`, { signal: AbortSignal.timeout(PROXY_MS) }).catch(
    () => undefined,
  );
  if (answer?.ok) return ok('proxy port', `${url} answers`);
  return fault(
    'proxy port',
    `${url} does not answer`,
    'see the log of the daemon; --proxy-port names another',
  );
}
