import { join } from 'node:path';
import type { Ran } from '../../support/child.ts';
import { startContainerd } from '../../support/containerd.ts';
import { startDocker } from '../../support/docker.ts';
import { setUpPodman } from '../../support/podman.ts';
import type { Registry } from '../../support/registry.ts';
import type { Login } from '../../support/registry-tokens.ts';
import { setUpSkopeo } from '../../support/skopeo.ts';

/** The clients that pull images, each Debian's own. */
export const CLIENTS = ['containerd', 'podman', 'skopeo', 'docker'] as const;
/** Those, and one that reads as podman does. */
export type ClientName = (typeof CLIENTS)[number] | 'buildah';

/** How a pull ended; the digest is the client's own word on what it has now. */
export type Pulled = Ran & { readonly digest: string | undefined };

/** A client that pulls through the mirror of one host, with storage of its own. */
export interface Client extends AsyncDisposable {
  readonly name: ClientName;
  pull(image: string, login?: Login): Promise<Pulled>;
  /** Takes everything away that it pulled. */
  clear(): Promise<void> | void;
}

/** Sets a client up below `dir` for a registry; `mirrorPort` undefined lets it pull straight from there. */
export async function openClient(
  name: ClientName,
  dir: string,
  registry: Registry,
  mirrorPort: number | undefined,
): Promise<Client> {
  const at = join(dir, name);
  const mirror = mirrorPort === undefined ? undefined : `127.0.0.1:${mirrorPort}`;
  switch (name) {
    case 'containerd': {
      const containerd = await startContainerd(at);
      containerd.mirror(registry.name, mirror && `http://${mirror}`, registry.url);
      return {
        name,
        pull: (image, login) => containerd.pull({ registry: registry.name, image, ...loginOf(login) }),
        clear: () => containerd.clear(),
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
  }
}

const loginOf = (login: Login | undefined) => (login === undefined ? {} : { login });
