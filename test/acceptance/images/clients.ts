import { join } from 'node:path';
import { segmentOfRegistry } from '../../../core/registry-names.ts';
import type { Ran } from '../../support/child.ts';
import { startContainerd } from '../../support/containerd.ts';
import { crictlOf } from '../../support/crictl.ts';
import { startDocker } from '../../support/docker.ts';
import { sayMissing } from '../../support/go.ts';
import {
  containerd2,
  crictlProgram,
  GO_CLIENTS,
  type GoClientName,
  goClientProgram,
  setUpGoClient,
} from '../../support/go-clients.ts';
import { setUpPodman } from '../../support/podman.ts';
import type { Registry } from '../../support/registry.ts';
import type { Login } from '../../support/registry-tokens.ts';
import { setUpSkopeo } from '../../support/skopeo.ts';

/** The clients that pull images, each Debian's own. */
export const CLIENTS = ['containerd', 'podman', 'skopeo', 'docker'] as const;
/** Those, one that reads as podman does, and what is built with Go. */
export type ClientName = (typeof CLIENTS)[number] | 'buildah' | 'containerd 2' | 'crictl' | GoClientName;

/** How a pull ended; the digest is the client's own word on what it has now, where it has one. */
export type Pulled = Ran & { readonly digest: string | undefined };

/** A client that pulls through the mirror of one host, with storage of its own. */
export interface Client extends AsyncDisposable {
  readonly name: ClientName;
  pull(image: string, login?: Login): Promise<Pulled>;
  /** Takes everything away that it pulled. */
  clear(): Promise<void> | void;
}

/** Whether a client is here, or was built now; where not, that is said. */
export async function isHere(name: ClientName): Promise<boolean> {
  const found = await programOf(name);
  if (found === undefined) sayMissing(name);
  return found !== undefined;
}

async function programOf(name: ClientName): Promise<string | undefined> {
  if (name === 'containerd 2') return containerd2();
  if (name === 'crictl') return crictlProgram();
  return isGoClient(name) ? goClientProgram(name) : name;
}

const isGoClient = (name: ClientName): name is GoClientName => GO_CLIENTS.some((one) => one === name);

/** Sets a client that is here up below `dir` for a registry; `mirrorPort` undefined lets it pull straight from there. */
export async function openClient(
  name: ClientName,
  dir: string,
  registry: Registry,
  mirrorPort: number | undefined,
): Promise<Client> {
  const program = (await programOf(name)) ?? name;
  const at = join(dir, name.replaceAll(' ', ''));
  const mirror = mirrorPort === undefined ? undefined : `127.0.0.1:${mirrorPort}`;
  switch (name) {
    case 'containerd':
    case 'containerd 2': {
      const containerd = await startContainerd(at, [], name === 'containerd' ? {} : { second: program });
      containerd.mirror(registry.name, mirror && `http://${mirror}`, registry.url);
      return {
        name,
        pull: (image, login) => containerd.pull({ registry: registry.name, image, ...loginOf(login) }),
        clear: () => containerd.clear(),
        [Symbol.asyncDispose]: () => containerd[Symbol.asyncDispose](),
      };
    }
    case 'crictl': {
      const containerd = await startContainerd(at, [], { withCri: true });
      containerd.mirror(registry.name, mirror && `http://${mirror}`, registry.url);
      const crictl = crictlOf(program, containerd);
      return {
        name,
        pull: (image, login) => crictl.pull({ registry: registry.name, image, ...loginOf(login) }),
        clear: () => crictl.clear(),
        [Symbol.asyncDispose]: () => containerd[Symbol.asyncDispose](),
      };
    }
    case 'buildah':
    case 'podman': {
      const podman = setUpPodman(at, [], name);
      podman.mirror(registry.name, mirror);
      return {
        name,
        pull: (image, login) => podman.pull({ registry: registry.name, image, ...loginOf(login) }),
        clear: () => podman.clear(),
        [Symbol.asyncDispose]: () => podman[Symbol.asyncDispose](),
      };
    }
    case 'skopeo': {
      const skopeo = setUpSkopeo(at);
      skopeo.mirror(registry.name, mirror);
      return {
        name,
        pull: (image, login) => skopeo.pull({ registry: registry.name, image, ...loginOf(login) }),
        clear: () => skopeo.clear(),
        [Symbol.asyncDispose]: async () => skopeo.clear(),
      };
    }
    case 'docker': {
      // Docker 20.10 has mirrors for Docker Hub alone, so the registry stands for it there.
      const hub = mirror === undefined ? registry.name : '';
      const daemon = mirror === undefined ? {} : { 'registry-mirrors': [`http://${mirror}`] };
      const docker = await startDocker({ dir: at, daemon });
      return {
        name,
        pull: (image, login) => docker.pull({ registry: hub, image, ...loginOf(login) }),
        clear: () => docker.clear(),
        [Symbol.asyncDispose]: () => docker[Symbol.asyncDispose](),
      };
    }
    default: {
      const client = setUpGoClient(name, program, at);
      // These are told no mirror: its path says which registry is meant.
      const place = mirror === undefined ? registry.name : `${mirror}/${segmentOfRegistry(registry.name)}`;
      return {
        name,
        pull: (image, login) => client.pull(`${place}/${image}`, login),
        clear: () => client.clear(),
        [Symbol.asyncDispose]: async () => client.clear(),
      };
    }
  }
}

const loginOf = (login: Login | undefined) => (login === undefined ? {} : { login });
