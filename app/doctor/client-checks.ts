import { accessSync, constants } from 'node:fs';
import { join } from 'node:path';
import { toShoalError } from '../../core/errors.ts';
import { CLIENTS, type Client } from '../configure/clients.ts';
import { configureClient } from '../configure/configure.ts';
import { parseProxy } from '../configure/names.ts';
import { type Finding, fault, ok, warning } from './finding.ts';

const PROGRAMS: Readonly<Record<Client, string>> = {
  containerd: 'containerd',
  docker: 'docker',
  podman: 'podman',
  crio: 'crio',
};

/**
 * Looks whether the container clients of this machine are told of Shoal. `isPulling`: an image is what is wrong, so that a
 * client that goes around is a fault.
 */
export async function checkClients(path: string, isPulling: boolean): Promise<Finding[]> {
  const here = CLIENTS.filter((client) => isInstalled(PROGRAMS[client], path));
  const told = await Promise.all(here.map(isTold));
  const isAny = told.some((each) => each === true);
  return here.map((client, index) => {
    const each = told[index];
    const check = `client ${client}`;
    if (each === true) return ok(check, 'is told to pull through Shoal');
    const fix = `sudo shoal configure ${client}`;
    if (typeof each === 'string') return warning(check, `cannot be looked at: ${each}`, fix);
    const says = 'is on this machine, and does not pull through Shoal';
    return isPulling && !isAny ? fault(check, says, fix) : warning(check, says, fix);
  });
}

/** Whether there is something of Shoal to take back; why that cannot be said. */
async function isTold(client: Client): Promise<boolean | string> {
  const proxy = parseProxy('http://127.0.0.1:4001');
  try {
    return (await configureClient(client, { registries: [], proxy, undo: true }, true)).changed;
  } catch (error) {
    return toShoalError(error).message;
  }
}

function isInstalled(program: string, path: string): boolean {
  return path.split(':').some((folder) => {
    if (folder === '') return false;
    try {
      accessSync(join(folder, program), constants.X_OK);
      return true;
    } catch {
      return false;
    }
  });
}
