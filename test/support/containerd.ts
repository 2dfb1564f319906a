import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { findCommand } from '../../scripts/ensure-system.mjs';
import { type Ran, startChild, startCommand, until } from './child.ts';
import type { Login } from './registry-tokens.ts';

/** What a client may be told of a pull. */
export interface PullOptions {
  /** Name of the registry, as clients write it. */
  readonly registry: string;
  /** `name:tag` or `name@digest` below the registry. */
  readonly image: string;
  readonly login?: Login;
}

/** A containerd of its own, driven by `ctr`. */
export interface Containerd extends AsyncDisposable {
  readonly dir: string;
  readonly socket: string;
  /** What stands before a `ctr` subcommand. */
  readonly ctr: readonly string[];
  /** The hosts directory. */
  readonly certs: string;
  /** Points a registry at a mirror, with the registry itself as the last; without a mirror: straight. */
  mirror(registry: string, url: string | undefined, upstream: string): void;
  /** Pulls and unpacks; the digest of the image is in `digest` where it succeeded. */
  pull(options: PullOptions): Promise<Ran & { readonly digest: string | undefined }>;
  /** Fetches without unpacking, and without the progress bar, which costs about as much CPU as the fetch. */
  fetch(options: PullOptions): Promise<Ran>;
  /** Forgets every image and its content. */
  clear(): Promise<void>;
}

/** Which containerd is started, and what it does. */
export interface ContainerdKind {
  /** The folder of a containerd 2 and its ctr; Debian's own unless given. It fetches layers by parts of 1 MiB, eight at once. */
  readonly second?: string;
  /** Whether it serves the kubelet too. */
  readonly withCri?: boolean;
}

const CRI = ['io.containerd.grpc.v1.cri', 'io.containerd.cri.v1.images', 'io.containerd.cri.v1.runtime'];
const BY_PARTS = { concurrent_layer_fetch_buffer: 1024 * 1024, max_concurrent_downloads: 8 };

/** Starts a containerd below `dir`; `inside` runs it and `ctr` elsewhere (another namespace). */
export async function startContainerd(
  dir: string,
  inside: readonly string[] = [],
  { second, withCri = false }: ContainerdKind = {},
): Promise<Containerd> {
  const certs = join(dir, 'certs.d');
  mkdirSync(certs, { recursive: true });
  const socket = join(dir, 'containerd.sock');
  const lines = [
    `version = ${second === undefined ? 2 : 3}`,
    `root = "${join(dir, 'root')}"`,
    `state = "${join(dir, 'state')}"`,
    `disabled_plugins = ${JSON.stringify(withCri ? [] : CRI)}`,
    `[grpc]\naddress = "${socket}"`,
  ];
  if (withCri) lines.push(`[plugins."${CRI[0]}".registry]\nconfig_path = "${certs}"`);
  if (second !== undefined) {
    const settings = Object.entries(BY_PARTS).map(([name, value]) => `${name} = ${value}`);
    lines.push('[plugins."io.containerd.transfer.v1.local"]', `config_path = "${certs}"`, ...settings);
  }
  writeFileSync(join(dir, 'config.toml'), `${lines.join('\n')}\n`);
  const programOf = (name: string) =>
    second === undefined ? (findCommand(name) ?? name) : join(second, name);
  const program = programOf('containerd');
  const log = join(dir, 'containerd.log');
  const child = startChild([...inside, program, '-c', join(dir, 'config.toml')], log);
  const ctr = [...inside, programOf('ctr'), '-a', socket];
  await until('containerd to answer', async () => {
    if (!child.running) throw new Error(`containerd ended, see ${log}`);
    const ran = await startCommand([...ctr, 'version'], 5_000).done;
    return ran.code === 0 || undefined;
  });

  function command(verb: readonly string[], { registry, image, login }: PullOptions) {
    const user = login === undefined ? [] : ['--user', `${login.user}:${login.password}`];
    return [...ctr, ...verb, '--hosts-dir', certs, ...user, `${registry}/${image}`];
  }

  async function digestOf(reference: string): Promise<string | undefined> {
    const listed = await startCommand([...ctr, 'images', 'ls', `name==${reference}`]).done;
    return /sha256:[0-9a-f]{64}/.exec(listed.stdout)?.[0];
  }

  return {
    dir,
    socket,
    ctr,
    certs,
    mirror(registry, url, upstream) {
      mkdirSync(join(certs, registry), { recursive: true });
      // Without any host, containerd 1.6 does not read `server`.
      const host = `[host."${url ?? upstream}"]\ncapabilities = ["pull", "resolve"]\n`;
      writeFileSync(join(certs, registry, 'hosts.toml'), `server = "${upstream}"\n${host}`);
    },
    async pull(options) {
      const ran = await startCommand(command(['images', 'pull'], options)).done;
      const reference = `${options.registry}/${options.image}`;
      return { ...ran, digest: ran.code === 0 ? await digestOf(reference) : undefined };
    },
    fetch: (options) => startCommand(command(['--debug', 'content', 'fetch'], options)).done,
    async clear() {
      const names = (await startCommand([...ctr, 'images', 'ls', '-q']).done).stdout.split('\n');
      for (const name of names.filter(Boolean)) {
        await startCommand([...ctr, 'images', 'rm', '--sync', name]).done;
      }
      // What was fetched only, or in part, belongs to no image.
      const blobs = (await startCommand([...ctr, 'content', 'ls', '-q']).done).stdout.split('\n');
      const left = blobs.filter(Boolean);
      if (left.length > 0) await startCommand([...ctr, 'content', 'rm', ...left]).done;
    },
    async [Symbol.asyncDispose]() {
      await child.stop();
      rmSync(dir, { recursive: true, force: true });
    },
  };
}
