import { homedir } from 'node:os';
import { join } from 'node:path';
import { findCommand } from '../../scripts/ensure-system.mjs';
import { type Ran, run, startCommand } from './child.ts';
import type { Login } from './registry-tokens.ts';

/** Clients that Debian does not have, each by the module that `go install` makes it of. */
const MODULES = {
  crane: 'github.com/google/go-containerregistry/cmd/crane@v0.22.1',
  oras: 'oras.land/oras/cmd/oras@v1.3.6',
  regctl: 'github.com/regclient/regclient/cmd/regctl@v0.11.7',
} as const;
export type GoClientName = keyof typeof MODULES;
export const GO_CLIENTS = Object.keys(MODULES) as GoClientName[];

const GO_FOLDERS = ['/usr/local/go/bin', '/usr/lib/go/bin'];
/** How long it may take to build them all, ms. */
export const GO_INSTALL_MS = 900_000;

/** A client that reads by the path of a mirror, and keeps one login for its host. */
export interface GoClient {
  login(host: string, login: Login): Promise<Ran>;
  /** Reads the whole of `HOST/REGISTRY/NAME:TAG` to nowhere that lasts. */
  pull(reference: string): Promise<Ran>;
}

/** The program, built where it is missing; undefined where there is no Go to build it with. */
async function programOf(name: GoClientName): Promise<string | undefined> {
  const bin = join(homedir(), 'go/bin');
  const found = findCommand(name, [bin]);
  if (found !== undefined) return found;
  const go = findCommand('go', GO_FOLDERS);
  if (go === undefined) return undefined;
  const set = [`GOBIN=${bin}`, 'GOFLAGS=-buildvcs=false', 'CGO_ENABLED=0'];
  await run(['env', ...set, go, 'install', MODULES[name]], GO_INSTALL_MS);
  return join(bin, name);
}

/** Builds all that are missing, where there is Go. */
export async function installGoClients(): Promise<void> {
  for (const name of GO_CLIENTS) await programOf(name);
}

/** Sets a client up with a configuration of its own below `dir`; undefined where it is not here and cannot be built. */
export async function setUpGoClient(name: GoClientName, dir: string): Promise<GoClient | undefined> {
  const program = await programOf(name);
  if (program === undefined) return undefined;
  const start = (...args: string[]) =>
    startCommand(['env', `DOCKER_CONFIG=${dir}`, `REGCTL_CONFIG=${dir}/regctl.json`, program, ...args]).done;
  let pulls = 0;
  const next = () => join(dir, `pulled-${++pulls}`);
  switch (name) {
    case 'crane':
      return {
        login: (host, { user, password }) => start('auth', 'login', host, '-u', user, '-p', password),
        pull: (reference) => start('pull', '--insecure', reference, next()),
      };
    case 'oras': {
      const config = join(dir, 'oras.json');
      return {
        login: (host, { user, password }) =>
          start('login', '--plain-http', '--registry-config', config, '-u', user, '-p', password, host),
        pull: (reference) =>
          start(
            ...['copy', '--from-plain-http', '--from-registry-config', config, reference],
            ...['--to-oci-layout', `${next()}:got`],
          ),
      };
    }
    case 'regctl': {
      const plain = (host: string) => start('registry', 'set', '--tls', 'disabled', host);
      return {
        async login(host, { user, password }) {
          await plain(host);
          return start('registry', 'login', host, '-u', user, '-p', password);
        },
        async pull(reference) {
          await plain(reference.split('/')[0] ?? '');
          return start('image', 'copy', reference, `ocidir://${next()}`);
        },
      };
    }
  }
}
