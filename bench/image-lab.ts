import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { findCommand } from '../scripts/ensure-system.mjs';
import { ROOT, run, startChild, startCommand, until } from '../test/support/child.ts';
import { MIB } from '../test/support/files.ts';
import { freePort } from '../test/support/free-port.ts';
import { type RunningNginx, runNginx } from '../test/support/nginx.ts';
import { type Swarm, startSwarm } from '../test/support/swarm.ts';

const SCRIPT = join(ROOT, 'bench/netlab.sh');
const PORT = 5000;

/**
 * A lab lives in so much memory where there is as much: each host of a cluster has a disk of its own, and all of these
 * would share one, whose file system looks through the files that the run before deleted.
 */
const RAM_BYTES = 8 * 1024 * MIB;

/** Prefix of the names of this lab, as netlab.sh takes it. */
const { NETLAB: PREFIX = 'shl' } = process.env;

/** What stands before a command to run it on a host of the lab. */
export const on = (host: number): readonly string[] => ['ip', 'netns', 'exec', `${PREFIX}${host}`];

/** A registry behind a shaped link, as host 0 of a lab. */
export interface ImageLab extends AsyncDisposable {
  readonly dir: string;
  /** As clients name it. */
  readonly registry: string;
  /** Body bytes of blobs that it sent since the last call. */
  sentBytes(): number;
  /** Hosts 1 to N as a swarm without a seed, whose mirrors know the registry. */
  swarm(hosts: number): Promise<Swarm>;
}

export interface ImageLabOptions {
  readonly hosts: number;
  /** Rate of each link, as tc writes it. */
  readonly rate: string;
  /** Fills the registry, before it moves behind its link. */
  readonly fill: (url: string) => Promise<void>;
}

/** Brings up hosts 0 to N; the registry is filled first. Needs root. @throws Error where something does not start */
export async function openImageLab({ hosts, rate, fill }: ImageLabOptions): Promise<ImageLab> {
  const dir = mkdtempSync(join(tmpdir(), 'shoal-image-lab-'));
  const storage = join(dir, 'registry');
  const close = new Undo();
  close.defer(async () => rmSync(dir, { recursive: true, force: true }));
  try {
    if (availableBytes() >= RAM_BYTES) {
      await run(['mount', '-t', 'tmpfs', '-o', `size=${RAM_BYTES}`, 'shoal-image-lab', dir]);
      close.defer(async () => void (await run(['umount', '--lazy', dir])));
    }
    mkdirSync(storage);
    const port = await freePort('127.0.0.1');
    const loader = await startRegistryAt(dir, storage, port, []);
    await fill(`http://127.0.0.1:${port}`);
    await loader.stop();

    close.defer(async () => void (await run([SCRIPT, 'down'])));
    await run([SCRIPT, 'up', String(hosts + 1), rate]);
    const address = (await run([SCRIPT, 'ip', '0'])).trim();
    const natsAddress = (await run([SCRIPT, 'bridge'])).trim();
    const backend = await startRegistryAt(dir, storage, PORT + 1, on(0));
    close.defer(() => backend.stop());
    const nginx = await startCounter(dir, address);
    close.defer(() => nginx[Symbol.asyncDispose]());
    const registry = `${address}:${PORT}`;
    let seen = 0;
    let runs = 0;
    return {
      dir,
      registry,
      sentBytes() {
        const lines = nginx.lines();
        const blobs = lines.slice(seen).filter((line) => /^GET \S+\/blobs\//.test(line));
        seen = lines.length;
        return blobs.reduce((sum, line) => sum + Number(line.split(' ').at(-1)), 0);
      },
      swarm(count) {
        runs += 1;
        return startSwarm({
          peers: count,
          seed: false,
          natsAddress,
          dir: join(dir, `swarm${runs}`),
          hostFlags: ['--registry', `${registry}=http://${registry}`],
          inside: (host) => on(Number(host.replace('peer', ''))),
        });
      },
      [Symbol.asyncDispose]: () => close.disposeAsync(),
    };
  } catch (error) {
    await close.disposeAsync();
    throw error;
  }
}

/** Memory that could be had without swapping. */
function availableBytes(): number {
  return 1024 * Number(/^MemAvailable:\s+(\d+) kB/m.exec(readFileSync('/proc/meminfo', 'utf8'))?.[1] ?? 0);
}

/** What is to be undone, the last first. */
class Undo {
  readonly #undo: (() => PromiseLike<void>)[] = [];

  defer(undo: () => PromiseLike<void>): void {
    this.#undo.push(undo);
  }

  async disposeAsync(): Promise<void> {
    for (let undo = this.#undo.pop(); undo !== undefined; undo = this.#undo.pop()) await undo();
  }
}

async function startRegistryAt(dir: string, storage: string, port: number, inside: readonly string[]) {
  const config = join(dir, `registry-${port}.yml`);
  const lines = [
    'version: 0.1',
    'log: {level: warn, accesslog: {disabled: true}}',
    `storage: {filesystem: {rootdirectory: ${storage}}}`,
    `http: {addr: "127.0.0.1:${port}", relativeurls: true}`,
  ];
  writeFileSync(config, `${lines.join('\n')}\n`);
  const program = findCommand('docker-registry') ?? 'docker-registry';
  const child = startChild([...inside, program, 'serve', config], join(dir, 'registry.log'));
  await until('docker-registry to answer', async () => {
    if (!child.running) throw new Error(readFileSync(join(dir, 'registry.log'), 'utf8'));
    const probe = [...inside, 'curl', '-s', '-o', '/dev/null', `http://127.0.0.1:${port}/v2/`];
    return (await startCommand(probe).done).code === 0 || undefined;
  });
  return child;
}

/** nginx before the registry on host 0, whose log tells how many bytes of each blob were sent. */
function startCounter(dir: string, address: string): Promise<RunningNginx> {
  return runNginx({
    dir,
    inside: on(0),
    url: `http://${address}:${PORT}/v2/`,
    log: '$request_method $uri $status $body_bytes_sent',
    http: `server {
    listen ${address}:${PORT};
    location / {
      proxy_pass http://127.0.0.1:${PORT + 1}; proxy_http_version 1.1; proxy_set_header Connection "";
      proxy_set_header Host $http_host; proxy_max_temp_file_size 0;
    }
  }`,
  });
}
