import { type ChildProcess, spawn } from 'node:child_process';
import { accessSync, constants, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { connect, createServer } from 'node:net';
import { delimiter, join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { ShoalError } from '../core/errors.ts';
import type { Logger } from '../core/logger.ts';
import { makeDir } from '../storage/private-files.ts';

/** A nats-server of our own: started again when it dies, gone when it is disposed of. */
export interface NatsServer extends AsyncDisposable {
  readonly url: string;
  /** Of the process that runs now. */
  readonly pid: number;
}

/** How a nats-server of our own is run. */
export interface NatsServerOptions {
  /** Where JetStream keeps its streams. */
  readonly dir: string;
  readonly logger: Logger;
  /** The port to take where it is free; another one otherwise. */
  readonly port?: number;
  /** Folders to look for nats-server in; PATH and where Debian puts it, unless given. */
  readonly folders?: readonly string[];
}

const HOST = '127.0.0.1';
const DEFAULT_PORT = 4222;
const READY_MS = 10_000;
const STOP_MS = 5_000;
const AGAIN_MS = 500;

/** @throws ERR_CONFIG_NATS_SERVER_MISSING, ERR_BUS_UNAVAILABLE where it does not come up, ERR_STORE_IO */
export async function startNatsServer(options: NatsServerOptions): Promise<NatsServer> {
  const { dir, logger } = options;
  const program = findProgram(options.folders ?? searchFolders());
  prepareDir(dir);
  await endFormer(dir, logger);
  const port = (await freePort(options.port ?? DEFAULT_PORT)) ?? (await freePort(0)) ?? 0;
  let stopping = false;
  let child = await spawnReady(program, dir, port);

  async function keepRunning(): Promise<void> {
    for (;;) {
      await ended(child);
      if (stopping) return;
      logger.warn({ port }, 'nats-server ended, starting it again');
      await delay(AGAIN_MS);
      if (stopping) return;
      child = await spawnReady(program, dir, port).catch((error: unknown) => {
        logger.error({ err: error }, 'nats-server does not start');
        return child;
      });
      if (stopping) return end(child);
    }
  }
  const kept = keepRunning();
  logger.info({ port, pid: child.pid }, 'nats-server started');
  return {
    url: `nats://${HOST}:${port}`,
    get pid() {
      return child.pid ?? -1;
    },
    async [Symbol.asyncDispose]() {
      stopping = true;
      await end(child);
      await kept;
      rmSync(pidFile(dir), { force: true });
    },
  };
}

function searchFolders(): string[] {
  const { PATH } = process.env;
  return [...(PATH ?? '').split(delimiter), '/usr/local/sbin', '/usr/sbin', '/usr/local/bin', '/usr/bin'];
}

function findProgram(folders: readonly string[]): string {
  for (const folder of folders) {
    const path = join(folder, 'nats-server');
    try {
      accessSync(path, constants.X_OK);
      return path;
    } catch {
      // Not in this folder.
    }
  }
  throw new ShoalError('ERR_CONFIG_NATS_SERVER_MISSING', 'there is no nats-server in PATH nor in /usr/sbin');
}

const pidFile = (dir: string): string => join(dir, 'nats-server.pid');

function prepareDir(dir: string): void {
  try {
    makeDir(dir);
  } catch (cause) {
    throw new ShoalError('ERR_STORE_IO', `cannot make the directory ${dir}`, { cause });
  }
}

/** A daemon that was killed leaves its nats-server behind, with its hand on the same streams. */
async function endFormer(dir: string, logger: Logger): Promise<void> {
  const pid = readNumber(pidFile(dir));
  if (pid === undefined || !isOurs(pid, dir)) return;
  logger.info({ pid }, 'ending the nats-server that a former daemon left behind');
  process.kill(pid, 'SIGKILL');
  for (let left = STOP_MS / 20; left > 0 && isOurs(pid, dir); left--) await delay(20);
}

function readNumber(path: string): number | undefined {
  try {
    return Number.parseInt(readFileSync(path, 'utf8'), 10) || undefined;
  } catch {
    return undefined;
  }
}

function isOurs(pid: number, dir: string): boolean {
  try {
    const args = readFileSync(`/proc/${pid}/cmdline`, 'utf8').split('\0');
    return (args[0] ?? '').endsWith('nats-server') && args.includes(dir);
  } catch {
    return false;
  }
}

function freePort(wanted: number): Promise<number | undefined> {
  return new Promise((resolve) => {
    const server = createServer();
    server.on('error', () => resolve(undefined));
    server.listen(wanted, HOST, () => {
      const address = server.address();
      const port = typeof address === 'object' && address !== null ? address.port : undefined;
      server.close(() => resolve(port));
    });
  });
}

async function spawnReady(program: string, dir: string, port: number): Promise<ChildProcess> {
  const args = ['-a', HOST, '-p', String(port), '-js', '-sd', dir];
  // A group of its own: Ctrl-C must not end it before those who use it.
  const child = spawn(program, args, { stdio: ['ignore', 'ignore', 'pipe'], detached: true });
  let last = '';
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    last = (last + text).slice(-2000);
  });
  const gone = ended(child);
  let running = true;
  void gone.then(() => {
    running = false;
  });
  const deadline = performance.now() + READY_MS;
  while (running && performance.now() < deadline) {
    if (await greets(port)) {
      writeFileSync(pidFile(dir), String(child.pid));
      return child;
    }
    await Promise.race([gone, delay(25)]);
  }
  await end(child);
  throw new ShoalError('ERR_BUS_UNAVAILABLE', `nats-server does not come up: ${last.trim()}`);
}

/** A NATS server speaks first, `INFO {…}`. */
function greets(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect({ host: HOST, port, timeout: 1000 });
    const answer = (value: boolean) => {
      socket.destroy();
      resolve(value);
    };
    socket.once('data', (data) => answer(data.toString('latin1', 0, 4) === 'INFO'));
    socket.once('error', () => answer(false));
    socket.once('timeout', () => answer(false));
    socket.once('close', () => answer(false));
  });
}

function ended(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return Promise.resolve();
  return new Promise((resolve) => {
    child.once('exit', () => resolve());
    child.once('error', () => resolve());
  });
}

async function end(child: ChildProcess): Promise<void> {
  child.kill('SIGTERM');
  const force = setTimeout(() => child.kill('SIGKILL'), STOP_MS);
  await ended(child);
  clearTimeout(force);
}
