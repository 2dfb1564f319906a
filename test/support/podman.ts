import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Ran, startCommand } from './child.ts';
import type { PullOptions } from './containerd.ts';
import { authJson, loginAtMirror, registriesConf } from './skopeo.ts';

/** What of podman's family pulls. */
type Program = 'podman' | 'buildah';

const DIGEST_OF: Readonly<Record<Program, readonly string[]>> = {
  podman: ['image', 'inspect', '--format', '{{.Digest}}'],
  buildah: ['inspect', '--type', 'image', '--format', '{{.FromImageDigest}}'],
};

/** podman, or buildah, with its own configuration and storage. */
export interface Podman extends AsyncDisposable {
  readonly dir: string;
  /** What stands before a subcommand. */
  readonly command: readonly string[];
  /** `host:port` of the mirror; undefined goes straight. */
  mirror(registry: string, mirror: string | undefined): void;
  /** Pulls an image; its digest is in `digest` where it succeeded. */
  pull(options: PullOptions): Promise<Ran & { readonly digest: string | undefined }>;
  /** Forgets every image. */
  clear(): Promise<void>;
}

/** Sets podman, or buildah, up below `dir`. */
export function setUpPodman(
  dir: string,
  inside: readonly string[] = [],
  program: Program = 'podman',
): Podman {
  mkdirSync(dir, { recursive: true });
  const conf = join(dir, 'registries.conf');
  const auth = join(dir, 'auth.json');
  // podman takes no runroot of more than 50 characters.
  const runRoot = mkdtempSync(join(tmpdir(), 'podman-'));
  const storage = ['--root', join(dir, 'root'), '--runroot', runRoot, '--storage-driver', 'overlay'];
  const environment = ['env', `CONTAINERS_REGISTRIES_CONF=${conf}`];
  const command = [...inside, ...environment, program, ...storage];
  let mirrorHost: string | undefined;
  return {
    dir,
    command,
    mirror(registry, mirror) {
      mirrorHost = mirror;
      writeFileSync(conf, registriesConf(registry, mirror));
    },
    async pull({ registry, image, login }) {
      writeFileSync(
        auth,
        login === undefined || mirrorHost !== undefined ? '{}' : authJson([registry], login),
      );
      if (login !== undefined && mirrorHost !== undefined)
        await loginAtMirror(command, auth, { mirrorHost, registry, login });
      const reference = `${registry}/${image}`;
      const ran = await startCommand([...command, 'pull', '-q', '--authfile', auth, reference]).done;
      if (ran.code !== 0) return { ...ran, digest: undefined };
      const inspect = [...command, ...DIGEST_OF[program], reference];
      return { ...ran, digest: (await startCommand(inspect).done).stdout.trim() };
    },
    async clear() {
      await startCommand([...command, 'rmi', '-a', '-f']).done;
    },
    async [Symbol.asyncDispose]() {
      // Its storage driver leaves a mount behind.
      await startCommand(['umount', '-l', join(dir, 'root/overlay')]).done;
      for (const path of [dir, runRoot]) rmSync(path, { recursive: true, force: true });
    },
  };
}
