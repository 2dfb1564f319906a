import { mkdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { type Ran, startCommand } from './child.ts';
import { goClient, goInstalled } from './go.ts';
import type { Login } from './registry-tokens.ts';
import { digestIn } from './skopeo.ts';

/** Clients that Debian does not have, each by the module that `go install` makes it of. */
const MODULES = {
  crane: 'github.com/google/go-containerregistry/cmd/crane@v0.22.1',
  regctl: 'github.com/regclient/regclient/cmd/regctl@v0.11.7',
  oras: 'oras.land/oras/cmd/oras@v1.3.6',
  helm: 'helm.sh/helm/v3/cmd/helm@v3.22.0',
} as const;
export type GoClientName = keyof typeof MODULES;
export const GO_CLIENTS = Object.keys(MODULES) as GoClientName[];

const CRICTL = 'sigs.k8s.io/cri-tools/cmd/crictl@v1.37.0';
const CONTAINERD_2 = 'github.com/containerd/containerd/v2/cmd';
const CONTAINERD_2_VERSION = 'v2.4.2';

/** The path of crictl; undefined where it cannot be had. */
export const crictlProgram = () => goClient('crictl', CRICTL);

/** The folder of a containerd 2 and its ctr; undefined where they cannot be had. */
export const containerd2 = () =>
  goInstalled(
    `containerd-${CONTAINERD_2_VERSION}`,
    ['containerd', 'ctr'].map((name) => `${CONTAINERD_2}/${name}@${CONTAINERD_2_VERSION}`),
  );

/** The path of a client; undefined where it cannot be had. */
export const goClientProgram = (name: GoClientName) => goClient(name, MODULES[name]);

/** Builds all that are missing, where there is Go. */
export async function installGoClients(): Promise<void> {
  for (const name of GO_CLIENTS) await goClientProgram(name);
  await crictlProgram();
  await containerd2();
}

/** A client that reads by the path of a mirror, and keeps one login for its host. */
export interface GoClient {
  /** Reads the whole of `HOST/REGISTRY/NAME:TAG`, as who it has logged in as at the host; the digest is that of an image. */
  pull(reference: string, login: Login | undefined): Promise<Ran & { readonly digest: string | undefined }>;
  clear(): void;
}

/** What a client does with a configuration and a target of its own. */
interface Ways {
  login(host: string, login: Login): Promise<Ran>;
  /** Into a folder, or into an OCI layout. */
  pull(reference: string, target: string): Promise<Ran>;
}

/** Sets a client up below `dir`. */
export function setUpGoClient(name: GoClientName, program: string, dir: string): GoClient {
  const target = join(dir, 'pulled');
  const clear = () => {
    rmSync(dir, { recursive: true, force: true });
    mkdirSync(dir, { recursive: true });
  };
  return {
    clear,
    async pull(reference, login) {
      clear();
      const ways = waysOf(name, program, dir);
      if (login !== undefined) {
        const ran = await ways.login(reference.split('/')[0] ?? '', login);
        if (ran.code !== 0) throw new Error(`${name} could not log in: ${ran.stdout}${ran.stderr}`);
      }
      const ran = await ways.pull(reference, target);
      return { ...ran, digest: ran.code === 0 && name !== 'helm' ? digestIn(target) : undefined };
    },
  };
}

function waysOf(name: GoClientName, program: string, dir: string): Ways {
  const set = [`DOCKER_CONFIG=${dir}`, `REGCTL_CONFIG=${dir}/regctl.json`, `HOME=${dir}`];
  const start = (...args: string[]) => startCommand(['env', ...set, program, ...args]).done;
  const as = ({ user, password }: Login) => ['-u', user, '-p', password];
  switch (name) {
    case 'crane':
      return {
        login: (host, login) => start('auth', 'login', host, ...as(login)),
        pull: (reference, target) => start('pull', '--insecure', '--format=oci', reference, target),
      };
    case 'oras': {
      const config = join(dir, 'oras.json');
      return {
        login: (host, login) =>
          start('login', '--plain-http', '--registry-config', config, ...as(login), host),
        pull: (reference, target) =>
          start(
            ...['copy', '--from-plain-http', '--from-registry-config', config, reference],
            ...['--to-oci-layout', `${target}:got`],
          ),
      };
    }
    case 'regctl': {
      const plain = (host: string) => start('registry', 'set', '--tls', 'disabled', host);
      return {
        async login(host, login) {
          await plain(host);
          return start('registry', 'login', host, ...as(login));
        },
        async pull(reference, target) {
          await plain(reference.split('/')[0] ?? '');
          return start('image', 'copy', reference, `ocidir://${target}`);
        },
      };
    }
    case 'helm':
      return {
        login: (host, login) => start('registry', 'login', '--plain-http', host, ...as(login)),
        pull(reference, target) {
          mkdirSync(target);
          const [, repository = '', version = ''] = /^(.*):([^:/]+)$/.exec(reference) ?? [];
          return start('pull', `oci://${repository}`, '--version', version, '--plain-http', '-d', target);
        },
      };
  }
}
