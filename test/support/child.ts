import { type ChildProcess, spawn } from 'node:child_process';
import { closeSync, openSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';

/** The checkout. */
export const ROOT = dirname(dirname(dirname(fileURLToPath(import.meta.url))));

/** The command line of this build, as argv. */
export const SHOAL = [process.execPath, join(ROOT, 'bin/shoal')] as const;

const children = new Set<ChildProcess>();
process.on('exit', () => {
  for (const child of children) child.kill('SIGKILL');
});

/** Node reads that store whole at each start, 30 ms of CPU. Nothing here speaks to a public CA, nor by a proxy of this machine. */
const NOT_HANDED_ON = /^(?:NODE_EXTRA_CA_CERTS|(?:https?|no|all)_proxy)$/i;

function environment(more: NodeJS.ProcessEnv = {}): NodeJS.ProcessEnv {
  const kept = Object.entries(process.env).filter(([name]) => !NOT_HANDED_ON.test(name));
  return { ...Object.fromEntries(kept), ...more };
}

/** The environment of a process whose wall clock is ahead by so much. */
export function skewedBy(ms: number): NodeJS.ProcessEnv {
  const preload = join(ROOT, 'test/support/skewed-clock.mjs');
  return { NODE_OPTIONS: `--import=${preload}`, SHOAL_TEST_SKEW_MS: String(ms) };
}

/** A long-running process whose output goes to a log file. */
export interface Child {
  readonly pid: number;
  /** Resolves when it has ended. */
  readonly ended: Promise<void>;
  readonly running: boolean;
  signal(name: NodeJS.Signals): void;
  /** Ends it in good order, by force after 10 s. */
  stop(): Promise<void>;
}

/** Starts a process with its output appended to `logFile`; `env` is added to its environment. */
export function startChild(command: readonly string[], logFile: string, env: NodeJS.ProcessEnv = {}): Child {
  const [program = '', ...args] = command;
  const log = openSync(logFile, 'a');
  const child = spawn(program, args, { env: environment(env), stdio: ['ignore', log, log] });
  closeSync(log);
  children.add(child);
  let running = true;
  const ended = new Promise<void>((resolve) => {
    const end = () => {
      running = false;
      children.delete(child);
      resolve();
    };
    child.once('exit', end);
    child.once('error', end);
  });
  return {
    pid: child.pid ?? -1,
    ended,
    get running() {
      return running;
    },
    signal: (name) => void child.kill(name),
    async stop() {
      if (!running) return;
      child.kill('SIGCONT');
      child.kill('SIGTERM');
      const force = setTimeout(() => child.kill('SIGKILL'), 10_000);
      await ended;
      clearTimeout(force);
    },
  };
}

/** What a command printed and how it ended; `code` is -1 where a signal ended it. */
export interface Ran {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
  /** Wall time from spawn to exit, ms. */
  readonly wallMs: number;
}

/** A command under way. */
export interface Run {
  readonly pid: number;
  readonly done: Promise<Ran>;
  signal(name: NodeJS.Signals): void;
}

/** Starts a command whose output is collected; it is killed after `timeoutMs`. */
export function startCommand(command: readonly string[], timeoutMs = 300_000): Run {
  const [program = '', ...args] = command;
  const begun = performance.now();
  const child = spawn(program, args, { env: environment(), stdio: ['ignore', 'pipe', 'pipe'] });
  children.add(child);
  let stdout = '';
  let stderr = '';
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    stdout += text;
  });
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    stderr += text;
  });
  const force = setTimeout(() => child.kill('SIGKILL'), timeoutMs);
  const done = new Promise<Ran>((resolve) => {
    let exitedMs = 0;
    child.once('exit', () => {
      exitedMs = performance.now() - begun;
    });
    const end = (code: number) => {
      clearTimeout(force);
      children.delete(child);
      resolve({ code, stdout, stderr, wallMs: exitedMs });
    };
    child.once('close', (code) => end(code ?? -1));
    child.once('error', (error) => {
      stderr += error.message;
      end(-1);
    });
  });
  return { pid: child.pid ?? -1, done, signal: (name) => void child.kill(name) };
}

/** Runs a command to its end. @throws Error where it fails */
export async function run(command: readonly string[], timeoutMs?: number): Promise<string> {
  const ran = await startCommand(command, timeoutMs).done;
  if (ran.code === 0) return ran.stdout;
  throw new Error(
    `${command.join(' ')} ended with ${ran.code}: ${ran.stderr.slice(-4000) || ran.stdout.slice(-4000)}`,
  );
}

/** Waits until `probe` gives a value, asking every 50 ms. @throws Error after `timeoutMs` */
export async function until<T>(
  what: string,
  probe: () => Promise<T | undefined> | T | undefined,
  timeoutMs = 300_000,
): Promise<T> {
  const deadline = performance.now() + timeoutMs;
  for (;;) {
    const value = await probe();
    if (value !== undefined && value !== false) return value;
    if (performance.now() > deadline) throw new Error(`waited ${timeoutMs} ms in vain for ${what}`);
    await delay(50);
  }
}

/** CPU time this machine has spent on anything since it started, seconds, over all cores. */
export function busyCpuSeconds(): number {
  const [total = ''] = readFileSync('/proc/stat', 'utf8').split('\n');
  const [user = 0, nice = 0, system = 0, , , irq = 0, softirq = 0] = total.split(/\s+/).slice(1).map(Number);
  return (user + nice + system + irq + softirq) / 100;
}

/** CPU time a process has used, seconds, and the most memory it ever had resident, bytes. */
export function usageOf(pid: number): { cpuSeconds: number; peakBytes: number; residentBytes: number } {
  const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  const ticks = Number(fields[11]) + Number(fields[12]);
  const status = readFileSync(`/proc/${pid}/status`, 'utf8');
  const kib = (name: string) => Number(new RegExp(`^${name}:\\s+(\\d+) kB`, 'm').exec(status)?.[1] ?? 0);
  // USER_HZ is 100 on every Linux that Node supports.
  return { cpuSeconds: ticks / 100, peakBytes: kib('VmHWM') * 1024, residentBytes: kib('VmRSS') * 1024 };
}
