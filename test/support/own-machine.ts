import { chmodSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Child, type Ran, SHOAL, startChild, startCommand, until } from './child.ts';

/** A machine of its own as far as files and ports go: what is written below /etc, /root, /run and /var stays there. */
export interface OwnMachine extends AsyncDisposable {
  /** A folder that both sides see at the same path. */
  readonly dir: string;
  /** What stands before a command to run it there, with a PATH whose `shoal` is this build. */
  readonly inside: readonly string[];
  /** Runs a script of sh there, as root. */
  run(script: string, timeoutMs?: number): Promise<Ran>;
  /** Puts a command into its PATH. */
  command(name: string, script: string): void;
}

/** Folders that are as on the real machine until something is written there. */
const COPIED = ['/etc', '/root'];
/** Folders that begin empty; on them lie file systems that overlays can be made of. */
const EMPTY = [
  '/var/lib/containerd',
  '/var/lib/docker',
  '/var/lib/containers',
  '/var/lib/shoal',
  '/run',
  '/var/tmp',
];

export interface OwnMachineOptions {
  /** Further lines of /etc/hosts. */
  readonly hosts?: string;
  /** Whether ports and processes are this machine's: then names and files alone are its own. */
  readonly sharedNetwork?: boolean;
}

/** Starts a machine in namespaces of its own, with the loopback interface alone. Needs root. */
export async function startOwnMachine(options: OwnMachineOptions = {}): Promise<OwnMachine> {
  const { hosts = '', sharedNetwork = false } = options;
  const dir = mkdtempSync(join(tmpdir(), 'shoal-machine-'));
  const bin = join(dir, 'bin');
  mkdirSync(bin);
  const mounts = [
    ...COPIED.flatMap((path, index) => [
      `mkdir -p ${dir}/up${index} ${dir}/work${index}`,
      `mount -t overlay overlay -o lowerdir=${path},upperdir=${dir}/up${index},workdir=${dir}/work${index} ${path}`,
    ]),
    ...(sharedNetwork ? [] : EMPTY).flatMap((path, index) => [
      `mkdir -p ${dir}/empty${index} ${path}`,
      `mount --bind ${dir}/empty${index} ${path}`,
    ]),
  ];
  const set = [
    'set -e',
    ...mounts,
    ...(sharedNetwork ? [] : ['ip link set lo up']),
    `printf '127.0.0.1 localhost\\n%s' "$1" > /etc/hosts`,
    `touch ${dir}/ready`,
    'exec sleep infinity',
  ];
  const own = sharedNetwork ? [] : ['--net', '--pid', '--fork', '--kill-child', '--mount-proc'];
  const log = join(dir, 'machine.log');
  const child: Child = startChild(
    ['unshare', '--mount', ...own, 'sh', '-c', set.join('\n'), 'sh', hosts],
    log,
  );
  const first = await until('the machine to be ready', async () => {
    if (!child.running)
      throw new Error(`the machine ended: ${(await startCommand(['cat', log]).done).stdout}`);
    const ready = await startCommand(['test', '-e', join(dir, 'ready')]).done;
    if (ready.code !== 0) return undefined;
    if (sharedNetwork) return String(child.pid);
    const children = await startCommand(['pgrep', '-P', String(child.pid)]).done;
    return children.stdout.trim().split('\n')[0];
  });
  const environment = [
    `PATH=${bin}:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin`,
    'HOME=/root',
    'LANG=C.UTF-8',
  ];
  const entered = sharedNetwork ? ['-m'] : ['-m', '-n', '-p'];
  const inside = ['nsenter', '-t', first, ...entered, 'env', '-i', ...environment];
  const machine: OwnMachine = {
    dir,
    inside,
    run: (script, timeoutMs) => startCommand([...inside, 'sh', '-ec', `cd\n${script}`], timeoutMs).done,
    command(name, script) {
      writeFileSync(join(bin, name), `#!/bin/sh\n${script}\n`);
      chmodSync(join(bin, name), 0o755);
    },
    async [Symbol.asyncDispose]() {
      // It is the first process of its namespace: all the others end with it.
      await startCommand(['kill', '-KILL', first]).done;
      await child.ended;
      rmSync(dir, { recursive: true, force: true, maxRetries: 5, retryDelay: 200 });
    },
  };
  machine.command('shoal', `exec ${SHOAL.join(' ')} "$@"`);
  machine.command('sudo', 'exec "$@"');
  return machine;
}
