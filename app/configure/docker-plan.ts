import { execFile } from 'node:child_process';
import { readdir } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { promisify } from 'node:util';
import { DOCKER_HUB } from '../../core/docker-hub.ts';
import { ShoalError } from '../../core/errors.ts';
import { type PlannedChange, planPut, planTake } from './change.ts';
import type { ClientPlan, ConfigureOptions } from './clients.ts';
import { daemonEdit, dropInEdit } from './docker.ts';
import { conflict } from './edit.ts';
import { findFile, readText } from './files.ts';

const DAEMON = '/etc/docker/daemon.json';
const DROP_INS = '/etc/systemd/system/docker.service.d';
const DROP_IN = 'shoal-proxy.conf';
/** The first Docker that reads `proxies` in daemon.json; older ones do not start with it. */
const PROXIES_SINCE = 23;
const VERSION_TIMEOUT_MS = 5000;

/** Works out Docker's configuration: the mirror of Docker Hub and, where asked for, the proxy of all else. */
export async function planDocker(
  options: ConfigureOptions,
  version: () => Promise<number | undefined> = dockerVersion,
): Promise<ClientPlan> {
  const { proxy, undo } = options;
  const daemon = options.file ?? DAEMON;
  const dropIn = join(options.configDir ?? DROP_INS, DROP_IN);
  const other = options.registries.find(({ name }) => name !== DOCKER_HUB);
  if (other !== undefined) {
    const why = 'Docker has mirrors for Docker Hub alone; --proxies sends the others through Shoal';
    throw new ShoalError('ERR_CONFIG_INVALID', `--registry ${other.name}: ${why}`);
  }
  const how = undo || options.proxies === undefined ? undefined : await howToTell(options.proxies, version);
  if (how === 'systemd') await checkOtherDropIns(dirname(dropIn));
  const daemonFile = daemonEdit(daemon, proxy, how === 'daemon');
  const dropInFile = dropInEdit(dropIn, proxy);
  const changes: PlannedChange[] = [
    await (undo ? planTake(daemonFile) : planPut(daemonFile)),
    await (how === 'systemd' ? planPut(dropInFile) : planTake(dropInFile)),
  ];
  const proxiesBefore = (await findFile(daemon)).memory?.ours['proxies'] === true;
  const dropInPath = (await findFile(dropIn)).path;
  return {
    changes,
    activation: (changed) => {
      const unit = changed.some(({ path }) => path === dropInPath);
      if (unit) return { kind: 'restart', command: 'systemctl daemon-reload && systemctl restart docker' };
      if (proxiesBefore !== (how === 'daemon'))
        return { kind: 'restart', command: 'systemctl restart docker' };
      return { kind: 'reload', command: 'systemctl reload docker' };
    },
    notes: undo ? [] : notesFor(how),
  };
}

function notesFor(how: 'daemon' | 'systemd' | undefined): string[] {
  const notes = [
    "a mirror of Docker is one of Docker Hub alone, and Docker does not say whose image it wants: the daemon's default registry must be docker.io",
    'what docker login keeps for Docker Hub is shown to the mirror too, which shows it to its default registry alone',
  ];
  if (how === undefined) notes.push('images of other registries do not go through Shoal without --proxies');
  else {
    notes.push(
      "what Docker reads by https goes through Shoal unseen unless the daemon has a CA for its proxy, and this machine trusts that CA (/etc/docker/certs.d/<registry>/ca.crt, or the system's)",
    );
  }
  if (how === 'systemd')
    notes.push('this Docker is told its proxy by a systemd drop-in, since it reads none from daemon.json');
  return notes;
}

/** The last drop-in wins, so that ours would cut Docker off from the proxy that another one names. */
async function checkOtherDropIns(dir: string): Promise<void> {
  for (const name of await readdir(dir).catch(() => [])) {
    if (name === DROP_IN || !name.endsWith('.conf')) continue;
    const path = join(dir, name);
    if (/^[^#;\n]*https?_proxy=/im.test((await readText(path)) ?? '')) {
      throw conflict(path, 'it names another proxy for Docker already');
    }
  }
}

async function howToTell(
  asked: 'auto' | 'daemon' | 'systemd',
  version: () => Promise<number | undefined>,
): Promise<'daemon' | 'systemd'> {
  if (asked !== 'auto') return asked;
  // The drop-in is understood by all of them.
  return ((await version()) ?? 0) >= PROXIES_SINCE ? 'daemon' : 'systemd';
}

/** The major version of the dockerd of this machine. */
async function dockerVersion(): Promise<number | undefined> {
  try {
    const { stdout } = await promisify(execFile)('dockerd', ['--version'], { timeout: VERSION_TIMEOUT_MS });
    return Number(/version (\d+)\./.exec(stdout)?.[1]);
  } catch {
    return undefined;
  }
}
