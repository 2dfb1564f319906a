import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { DOCKER_HUB_KEY } from '../../core/docker-hub.ts';
import { findCommand } from '../../scripts/ensure-system.mjs';
import { type Ran, startChild, startCommand, until } from './child.ts';
import { type PullOptions, startContainerd } from './containerd.ts';
import { authJson } from './skopeo.ts';

/** A Docker engine of its own. */
export interface Docker extends AsyncDisposable {
  /** What stands before a `docker` subcommand. */
  readonly command: readonly string[];
  /** Pulls an image; its digest is in `digest` where it succeeded. */
  pull(options: PullOptions): Promise<Ran & { readonly digest: string | undefined }>;
  /** Forgets every image. */
  clear(): Promise<void>;
}

export interface DockerOptions {
  readonly dir: string;
  /** Further keys of daemon.json. */
  readonly daemon?: Readonly<Record<string, unknown>>;
  /** Environment of the engine, for its proxies and certificates. */
  readonly env?: Readonly<Record<string, string>>;
  readonly inside?: readonly string[];
}

/** Starts a Docker engine, with a containerd beside it, that runs no containers and touches no firewall. */
export async function startDocker(options: DockerOptions): Promise<Docker> {
  const { dir, daemon = {}, env = {}, inside = [] } = options;
  mkdirSync(dir, { recursive: true });
  const at = (name: string) => join(dir, name);
  const containerd = await startContainerd(at('containerd'), inside);
  const config = {
    'data-root': at('root'),
    'exec-root': at('exec'),
    pidfile: at('docker.pid'),
    hosts: [`unix://${at('docker.sock')}`],
    containerd: at('containerd/containerd.sock'),
    bridge: 'none',
    iptables: false,
    'ip-forward': false,
    'ip-masq': false,
    ...daemon,
  };
  writeFileSync(at('daemon.json'), JSON.stringify(config));
  const set = Object.entries(env).map(([name, value]) => `${name}=${value}`);
  const program = findCommand('dockerd') ?? 'dockerd';
  const engine = [...inside, 'env', ...set, program, '--config-file', at('daemon.json')];
  const child = startChild(engine, at('docker.log'));
  const client = [findCommand('docker') ?? 'docker', '--config', at('client'), '-H', config.hosts[0] ?? ''];
  const command = [...inside, ...client];
  mkdirSync(at('client'), { recursive: true });
  await until('dockerd to answer', async () => {
    if (!child.running) throw new Error(`dockerd ended:\n${readFileSync(at('docker.log'), 'utf8')}`);
    const ran = await startCommand([...command, 'info'], 10_000).done;
    return ran.code === 0 || undefined;
  });
  return {
    command,
    async pull({ registry, image, login }) {
      writeFileSync(
        at('client/config.json'),
        login === undefined ? '{}' : authJson([registry || DOCKER_HUB_KEY], login),
      );
      const reference = registry === '' ? image : `${registry}/${image}`;
      const ran = await startCommand([...command, 'pull', reference]).done;
      const digest = /^Digest: (sha256:[0-9a-f]{64})$/m.exec(ran.stdout)?.[1];
      return { ...ran, digest: ran.code === 0 ? digest : undefined };
    },
    async clear() {
      await startCommand([...command, 'image', 'prune', '-a', '-f']).done;
    },
    async [Symbol.asyncDispose]() {
      await child.stop();
      await containerd[Symbol.asyncDispose]();
      rmSync(dir, { recursive: true, force: true });
    },
  };
}
