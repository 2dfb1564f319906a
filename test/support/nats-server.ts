import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';

/** A real nats-server of a test. */
export interface TestNats {
  readonly url: string;
  readonly port: number;
  readonly pid: number;
  /** Ends the process, with SIGKILL unless told otherwise, and waits for its end. */
  stop(signal?: NodeJS.Signals): Promise<void>;
  /** Starts it again on the same port, by default on the same store; `wipe` loses the store. */
  restart(options?: { wipe?: boolean; config?: string }): Promise<void>;
  [Symbol.asyncDispose](): Promise<void>;
}

/** Options of a test's nats-server; `config` is the text of a configuration file beside the usual flags. */
export interface TestNatsOptions {
  readonly jetstream?: boolean;
  readonly config?: string;
  readonly port?: number;
  readonly storeDir?: string;
}

/** Where nats-server is: in PATH, or where Debian puts it. */
export function natsServerPath(): string {
  const { PATH = '' } = process.env;
  const places = [...PATH.split(':'), '/usr/sbin', '/usr/local/bin'];
  const found = places.map((place) => join(place, 'nats-server')).find((path) => existsSync(path));
  if (found === undefined) throw new Error('nats-server is not installed');
  return found;
}

/** Starts a nats-server on a free port and an own store, and waits until it takes connections. */
export async function startNats(options: TestNatsOptions = {}): Promise<TestNats> {
  const directory = await mkdtemp(join(tmpdir(), 'shoal-nats-'));
  const storeDir = options.storeDir ?? join(directory, 'store');
  let port = options.port ?? -1;
  let config = options.config;
  let child: ChildProcess | undefined;

  const start = async () => {
    const args = ['-a', '127.0.0.1', '-p', String(port), '--ports_file_dir', directory];
    if (options.jetstream !== false) args.push('-js', '-sd', storeDir);
    if (config !== undefined) {
      await writeFile(join(directory, 'nats.conf'), config);
      args.push('-c', join(directory, 'nats.conf'));
    }
    let output = '';
    const started = spawn(natsServerPath(), args, { stdio: ['ignore', 'ignore', 'pipe'] });
    child = started;
    started.stderr?.on('data', (chunk) => {
      output = (output + chunk).slice(-4000);
    });
    for (let tries = 0; tries < 500; tries += 1) {
      if (started.exitCode !== null) throw new Error(`nats-server ended: ${output}`);
      const name = (await readdir(directory)).find((file) => file.endsWith(`_${started.pid}.ports`));
      const text = name === undefined ? '' : await readFile(join(directory, name), 'utf8');
      const url = /"nats":\s*\[\s*"(?:nats|tls):\/\/[^"]*:(\d+)"/.exec(text)?.[1];
      if (url !== undefined && output.includes('Server is ready')) {
        port = Number(url);
        return;
      }
      await delay(10);
    }
    throw new Error(`nats-server does not start: ${output}`);
  };
  const stop = async (signal: NodeJS.Signals = 'SIGKILL') => {
    const running = child;
    child = undefined;
    if (running === undefined || running.exitCode !== null || running.signalCode !== null) return;
    const ended = once(running, 'exit');
    running.kill(signal);
    await ended;
  };

  await start();
  return {
    get url() {
      return `nats://127.0.0.1:${port}`;
    },
    get port() {
      return port;
    },
    get pid() {
      return child?.pid ?? 0;
    },
    stop,
    restart: async ({ wipe = false, config: next } = {}) => {
      await stop();
      if (wipe) await rm(storeDir, { recursive: true, force: true });
      if (next !== undefined) config = next;
      await start();
    },
    [Symbol.asyncDispose]: async () => {
      await stop();
      await rm(directory, { recursive: true, force: true });
    },
  };
}
