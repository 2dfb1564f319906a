import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { z } from 'zod';
import { type HostStatus, hostStatusSchema } from '../../admin/control.ts';
import { downloadResultSchema } from '../../core/download.ts';
import { type Child, type Ran, SHOAL, startChild, startCommand, until } from './child.ts';
import { storedBytes } from './files.ts';
import { freePort } from './free-port.ts';
import { natsServers, numbered } from './nats-servers.ts';

/** How a `shoal get` ended. `result` is there where it succeeded. */
export interface GetOutcome extends Ran {
  readonly result: z.infer<typeof downloadResultSchema> | undefined;
}

/** A `shoal get` under way. */
export interface Get {
  readonly pid: number;
  readonly done: Promise<GetOutcome>;
  signal(name: NodeJS.Signals): void;
}

export interface GetOptions {
  readonly digest?: string;
  readonly output?: string;
  readonly flags?: readonly string[];
}

export interface SwarmOptions {
  readonly peers: number;
  /** `scheduler`, `scheduler2`, …; one unless given. */
  readonly schedulers?: number;
  /** A seed as well; yes unless said otherwise. */
  readonly seed?: boolean;
  /** Further flags of every host daemon. */
  readonly hostFlags?: readonly string[];
  /** Address that NATS listens on. */
  readonly natsAddress?: string;
  /** `nats`, `nats2`, …: one unless given, else a cluster. */
  readonly natsServers?: number;
  /** Text of a configuration file of NATS; it may say how JetStream is, which else is simply on. */
  readonly natsConfig?: string;
  /** What to put before the command of a host and of its `get`s, to run it elsewhere (another namespace). */
  readonly inside?: (host: string) => readonly string[];
  /** What is added to the environment of a member. */
  readonly environmentOf?: (name: string) => NodeJS.ProcessEnv;
  /** Where everything is kept; a new folder under the system's temporary one unless given. */
  readonly dir?: string;
}

/**
 * A swarm of separate processes on this machine: `nats`, `scheduler`, `seed`, `peer1`, `peer2`, …; more of NATS and of
 * schedulers as `nats2`, `scheduler2`, …
 * Further schedulers (`scheduler2`, …) are there once they are started.
 */
export interface Swarm extends AsyncDisposable {
  readonly dir: string;
  /** A comma list where NATS is a cluster. */
  readonly natsUrl: string;
  /** Names of the host daemons, the seed first. */
  readonly hosts: readonly string[];
  /** The `--dir` of a member. */
  dirOf(name: string): string;
  pidOf(name: string): number;
  /** Port of a host's registry mirror and proxy; the same after a restart. */
  proxyPortOf(host: string): number;
  /** @param env is added to the environment of the process */
  start(name: string, env?: NodeJS.ProcessEnv): void;
  signal(name: string, signal: NodeJS.Signals): void;
  /** kill -9; resolves when it is gone. */
  kill(name: string): Promise<void>;
  stop(name: string): Promise<void>;
  /** Waits until a host has joined. */
  ready(host: string): Promise<void>;
  status(host: string): Promise<HostStatus>;
  get(host: string, resource: string, options?: GetOptions): Get;
  /** Waits until a host has at least so many bytes of content on disk. */
  holds(host: string, bytes: number): Promise<void>;
  /** The last lines of every log. */
  logs(lines?: number): string;
}

/** The last JSON object that a command printed. */
export function lastJson(stdout: string): unknown {
  const text = stdout.trim();
  try {
    return JSON.parse(text);
  } catch {
    return JSON.parse(text.slice(text.lastIndexOf('\n') + 1));
  }
}

function outcomeOf(ran: Ran): GetOutcome {
  return { ...ran, result: ran.code === 0 ? downloadResultSchema.parse(lastJson(ran.stdout)) : undefined };
}

/** Starts a swarm and waits until every host has joined. @throws Error with the logs where one does not */
export async function startSwarm(options: SwarmOptions): Promise<Swarm> {
  const dir = options.dir ?? mkdtempSync(join(tmpdir(), 'shoal-swarm-'));
  const { natsAddress, natsServers: count, natsConfig } = options;
  const nats = await natsServers({ dir, count, address: natsAddress, config: natsConfig });
  const natsUrl = [...nats.values()].map(({ url }) => url).join(',');
  const peers = Array.from({ length: options.peers }, (_, index) => `peer${index + 1}`);
  const schedulers = numbered('scheduler', options.schedulers ?? 1);
  const hosts = options.seed === false ? peers : ['seed', ...peers];
  const members = new Map<string, Child>();
  const proxyPorts = new Map<string, number>();
  const dirOf = (name: string) => join(dir, name);
  const logDir = join(dir, 'logs');
  mkdirSync(logDir, { recursive: true });

  function commandOf(name: string): readonly string[] {
    const server = nats.get(name);
    if (server !== undefined) return server.command;
    const joined = ['--nats', natsUrl, '--dir', dirOf(name), '--admin-port', '0'];
    if (name.startsWith('scheduler')) return [...SHOAL, 'scheduler', ...joined];
    const before = options.inside?.(name) ?? [];
    const role = name === 'seed' ? 'seed' : 'peer';
    const ports = ['--data-port', '0', '--proxy-port', String(proxyPorts.get(name) ?? 0)];
    return [...before, ...SHOAL, role, ...joined, ...ports, ...(options.hostFlags ?? [])];
  }

  function member(name: string): Child {
    const child = members.get(name);
    if (child === undefined) throw new Error(`no member ${name} was started`);
    return child;
  }

  function start(name: string, env: NodeJS.ProcessEnv = options.environmentOf?.(name) ?? {}): void {
    mkdirSync(dirOf(name), { recursive: true });
    members.set(name, startChild(commandOf(name), join(logDir, `${name}.log`), env));
  }

  async function status(host: string): Promise<HostStatus> {
    const ran = await startCommand([...SHOAL, 'status', '--dir', dirOf(host), '--json']).done;
    if (ran.code !== 0) throw new Error(`no status of ${host}: ${ran.stderr}`);
    return hostStatusSchema.parse(lastJson(ran.stdout));
  }

  const swarm: Swarm = {
    dir,
    natsUrl,
    hosts,
    dirOf,
    pidOf: (name) => member(name).pid,
    proxyPortOf: (host) => proxyPorts.get(host) ?? 0,
    start,
    signal: (name, signal) => member(name).signal(signal),
    async kill(name) {
      member(name).signal('SIGKILL');
      await member(name).ended;
    },
    stop: (name) => member(name).stop(),
    async ready(host) {
      await until(`${host} to join`, async () => {
        if (!member(host).running)
          throw new Error(`${host} ended:\n${tail(join(logDir, `${host}.log`), 20)}`);
        const known = await status(host).catch(() => undefined);
        return known?.state === 'announced' ? true : undefined;
      });
    },
    status,
    get(host, resource, { digest, output, flags = [] } = {}) {
      const command = [...(options.inside?.(host) ?? []), ...SHOAL, 'get', resource];
      if (output !== undefined) command.push('-o', output);
      if (digest !== undefined) command.push('--digest', digest);
      const started = startCommand([...command, '--dir', dirOf(host), '--json', ...flags]);
      return { pid: started.pid, signal: started.signal, done: started.done.then(outcomeOf) };
    },
    async holds(host, bytes) {
      await until(
        `${host} to hold ${bytes} bytes`,
        () => storedBytes(dirOf(host)) >= bytes || undefined,
        120_000,
      );
    },
    logs: (lines = 40) =>
      readdirSync(logDir)
        .map((file) => `--- ${file}\n${tail(join(logDir, file), lines)}`)
        .join('\n'),
    async [Symbol.asyncDispose]() {
      const others = [...members].filter(([name]) => !nats.has(name));
      await Promise.all(others.map(([, child]) => child.stop()));
      await Promise.all([...nats.keys()].map((name) => members.get(name)?.stop()));
      const { KEEP_LAB } = process.env;
      if (KEEP_LAB === undefined) rmSync(dir, { recursive: true, force: true });
    },
  };

  try {
    // A host of another namespace has a port of its own there, whatever is free here.
    for (const host of hosts) proxyPorts.set(host, await freePort('127.0.0.1'));
    for (const name of [...nats.keys(), ...schedulers, ...hosts]) start(name);
    for (const host of hosts) await swarm.ready(host);
  } catch (cause) {
    const logs = swarm.logs(20);
    await swarm[Symbol.asyncDispose]();
    throw new Error(`the swarm did not start: ${String(cause)}\n${logs}`, { cause });
  }
  return swarm;
}

function tail(file: string, lines: number): string {
  return readFileSync(file, 'utf8').trimEnd().split('\n').slice(-lines).join('\n');
}
