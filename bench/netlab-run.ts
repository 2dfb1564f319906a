import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { ROOT, run, startCommand } from '../test/support/child.ts';
import { median } from '../test/support/figures.ts';
import { digestOfFile, writeRandomFile } from '../test/support/files.ts';
import { startNginx } from '../test/support/nginx.ts';
import { startSwarm } from '../test/support/swarm.ts';

const NETLAB = join(ROOT, 'bench/netlab.sh');

export interface NetlabOptions {
  readonly hosts: number;
  /** Rate of each link, as tc writes it. */
  readonly rate: string;
  readonly bytes: number;
  readonly runs: number;
  /** Whether the gets name the digest. */
  readonly digest: boolean;
  /** Told of each run as it ends. */
  readonly onRun?: (run: NetlabRun) => void;
}

/** One download by all hosts at once, beside one curl in the same lab. */
export interface NetlabRun {
  readonly curlSeconds: number;
  /** From the first `get` started to the last file in place. */
  readonly makespanSeconds: number;
  /** Median of the hosts. */
  readonly medianSeconds: number;
  readonly ratio: number;
  readonly medianRatio: number;
  /** Body bytes the origin sent to the swarm over the size. */
  readonly originCopies: number;
}

/** All runs and their medians. */
export interface NetlabReport {
  readonly hosts: number;
  readonly rate: string;
  /** The hosts' TCP congestion control, as the kernel names it. */
  readonly congestion: string;
  readonly bytes: number;
  readonly runs: readonly NetlabRun[];
  readonly ratio: number;
  readonly medianRatio: number;
  /** The worst run. */
  readonly originCopies: number;
}

const on = (host: number) => ['ip', 'netns', 'exec', `shl${host}`];

/**
 * N hosts fetch one file at once over shaped links: the origin is host 0, the daemons are hosts 1 to N, NATS and the
 * scheduler are on the machine itself, outside the shaped links.
 * @throws Error where a get fails or a file is wrong
 */
export async function measureNetlab(options: NetlabOptions): Promise<NetlabReport> {
  const dir = mkdtempSync(join(tmpdir(), 'shoal-netlab-'));
  try {
    mkdirSync(join(dir, 'www'));
    const digest = writeRandomFile(join(dir, 'www/file'), options.bytes);
    await run([NETLAB, 'up', String(options.hosts + 1), options.rate]);
    const address = (await run([NETLAB, 'ip', '0'])).trim();
    const congestion = await run([...on(0), 'sysctl', '-n', 'net.ipv4.tcp_congestion_control']);
    const runs: NetlabRun[] = [];
    for (let index = 0; index < options.runs; index += 1) {
      const one = await measureOnce(options, join(dir, `run${index}`), address, join(dir, 'www'), digest);
      options.onRun?.(one);
      runs.push(one);
    }
    return {
      hosts: options.hosts,
      rate: options.rate,
      congestion: congestion.trim(),
      bytes: options.bytes,
      runs,
      ratio: median(runs.map((one) => one.ratio)),
      medianRatio: median(runs.map((one) => one.medianRatio)),
      originCopies: Math.max(...runs.map((one) => one.originCopies)),
    };
  } finally {
    await run([NETLAB, 'down']);
    rmSync(dir, { recursive: true, force: true });
  }
}

async function measureOnce(
  options: NetlabOptions,
  dir: string,
  address: string,
  root: string,
  digest: string,
): Promise<NetlabRun> {
  mkdirSync(dir);
  await using nginx = await startNginx({ dir, root, address, port: 80, inside: on(0) });
  const url = nginx.url('/file');
  const curl = await startCommand([...on(1), 'curl', '-sf', '-o', join(dir, 'curl'), url]).done;
  if (curl.code !== 0) throw new Error(`curl ended with ${curl.code}: ${curl.stderr}`);
  rmSync(join(dir, 'curl'));
  const before = nginx.bodyBytes();
  const natsAddress = (await run([NETLAB, 'bridge'])).trim();
  await using swarm = await startSwarm({
    peers: options.hosts,
    seed: false,
    natsAddress,
    dir: join(dir, 'swarm'),
    inside: (host) => on(Number(host.replace('peer', ''))),
  });
  const begun = performance.now();
  const gets = swarm.hosts.map(async (host) => {
    const output = join(dir, host);
    const ended = await swarm.get(host, url, { output, ...(options.digest ? { digest } : {}) }).done;
    return { host, output, ended, seconds: (performance.now() - begun) / 1000 };
  });
  const done = await Promise.all(gets);
  for (const { host, output, ended } of done) {
    if (ended.code !== 0)
      throw new Error(`${host}: get ended with ${ended.code}\n${ended.stderr}\n${swarm.logs()}`);
    if ((await digestOfFile(output)) !== digest) throw new Error(`${host}: the file is wrong`);
    rmSync(output);
  }
  const curlSeconds = curl.wallMs / 1000;
  const times = done.map((one) => one.seconds);
  const makespanSeconds = Math.max(...times);
  const medianSeconds = median(times);
  return {
    curlSeconds,
    makespanSeconds,
    medianSeconds,
    ratio: makespanSeconds / curlSeconds,
    medianRatio: medianSeconds / curlSeconds,
    originCopies: (nginx.bodyBytes() - before) / options.bytes,
  };
}
