import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { run, startCommand, usageOf } from '../test/support/child.ts';
import { median } from '../test/support/figures.ts';
import { digestOfFile, writeRandomFile } from '../test/support/files.ts';
import { freePort } from '../test/support/free-port.ts';
import { type Nginx, startNginx } from '../test/support/nginx.ts';
import { type Swarm, startSwarm } from '../test/support/swarm.ts';

/** How the lone host asks: into its cache, with the digest checked, or to a file. */
export type LoopbackVariant = 'cache' | 'digest' | 'output';
export const VARIANTS: readonly LoopbackVariant[] = ['cache', 'digest', 'output'];

/** One download of a lone host from one parent. */
export interface LoopbackSample {
  /** From the daemon's start of work to the last piece stored (and the digest compared), seconds. */
  readonly seconds: number;
  /** The whole `shoal get` process, seconds. */
  readonly wallSeconds: number;
  readonly childCpuSeconds: number;
  readonly parentCpuSeconds: number;
  readonly childPeakBytes: number;
  readonly parentPeakBytes: number;
}

/** Medians, and what they are of one `curl -o FILE` from nginx to the same file system. */
export interface LoopbackFigures extends LoopbackSample {
  readonly rateOfCurl: number;
  readonly wallRateOfCurl: number;
}

export interface LoopbackReport {
  readonly bytes: number;
  readonly runs: number;
  readonly curlSeconds: number;
  readonly variants: Readonly<Record<LoopbackVariant, LoopbackFigures>>;
  /** What the medians are of. */
  readonly samples: Readonly<Record<LoopbackVariant, readonly LoopbackSample[]>>;
}

/**
 * A lone host reads one file from one parent over loopback, beside curl from nginx; medians of `runs`.
 * @throws Error where a get fails, or reads from elsewhere than its parent
 */
export async function measureLoopback(bytes: number, runs: number): Promise<LoopbackReport> {
  const dir = mkdtempSync(join(tmpdir(), 'shoal-loopback-'));
  try {
    mkdirSync(join(dir, 'www'));
    const digest = writeRandomFile(join(dir, 'www/file'), bytes);
    const port = await freePort('127.0.0.1');
    await using nginx = await startNginx({ dir, root: join(dir, 'www'), address: '127.0.0.1', port });
    await using swarm = await startSwarm({
      peers: 1,
      hostFlags: ['--allow-origin', `127.0.0.1:${port}`],
      dir: join(dir, 'swarm'),
    });
    await fill(swarm, nginx.url('/file'), digest);
    const curls: number[] = [];
    const samples = new Map<LoopbackVariant, LoopbackSample[]>(VARIANTS.map((variant) => [variant, []]));
    for (let index = 0; index < runs; index += 1) {
      curls.push(await curlOnce(nginx, join(dir, 'curl')));
      for (const variant of VARIANTS) {
        samples.get(variant)?.push(await getOnce(swarm, nginx.url('/file'), digest, bytes, variant));
      }
    }
    const curlSeconds = median(curls);
    const of = (variant: LoopbackVariant) => samples.get(variant) ?? [];
    const figures = (variant: LoopbackVariant) => figuresOf(of(variant), curlSeconds);
    return {
      bytes,
      runs,
      curlSeconds,
      variants: { cache: figures('cache'), digest: figures('digest'), output: figures('output') },
      samples: { cache: of('cache'), digest: of('digest'), output: of('output') },
    };
  } finally {
    rmSync(dir, { recursive: true, force: true });
  }
}

/** Puts the file into the parent's cache: once by its URL, once by its digest, which are two tasks. */
async function fill(swarm: Swarm, url: string, digest: string): Promise<void> {
  for (const options of [{}, { digest }]) {
    const got = await swarm.get('seed', url, options).done;
    if (got.code !== 0) throw new Error(`the parent could not be filled: ${got.stderr}\n${swarm.logs()}`);
  }
}

async function curlOnce(nginx: Nginx, output: string): Promise<number> {
  await run(['sync']);
  const ran = await startCommand(['curl', '-sf', '-o', output, nginx.url('/file')]).done;
  if (ran.code !== 0) throw new Error(`curl ended with ${ran.code}: ${ran.stderr}`);
  rmSync(output);
  return ran.wallMs / 1000;
}

async function getOnce(
  swarm: Swarm,
  url: string,
  digest: string,
  bytes: number,
  variant: LoopbackVariant,
): Promise<LoopbackSample> {
  await swarm.stop('peer1');
  rmSync(swarm.dirOf('peer1'), { recursive: true });
  swarm.start('peer1');
  await swarm.ready('peer1');
  await run(['sync']);
  const output = join(swarm.dir, 'output');
  const [child, parent] = [swarm.pidOf('peer1'), swarm.pidOf('seed')];
  const before = [usageOf(child), usageOf(parent)].map((usage) => usage.cpuSeconds);
  const got = await swarm.get('peer1', url, {
    ...(variant === 'digest' ? { digest } : {}),
    ...(variant === 'output' ? { output } : {}),
  }).done;
  const [childUsage, parentUsage] = [usageOf(child), usageOf(parent)];
  if (got.result === undefined) throw new Error(`get ended with ${got.code}: ${got.stderr}\n${swarm.logs()}`);
  if (got.result.bytes.peers < 0.99 * bytes) {
    throw new Error(`bytes came from elsewhere than the parent: ${JSON.stringify(got.result)}`);
  }
  if (variant === 'output') {
    if ((await digestOfFile(output)) !== digest) throw new Error('the file is wrong');
    rmSync(output);
  }
  return {
    seconds: got.result.durationMs / 1000,
    wallSeconds: got.wallMs / 1000,
    childCpuSeconds: childUsage.cpuSeconds - (before[0] ?? 0),
    parentCpuSeconds: parentUsage.cpuSeconds - (before[1] ?? 0),
    childPeakBytes: childUsage.peakBytes,
    parentPeakBytes: parentUsage.peakBytes,
  };
}

function figuresOf(samples: readonly LoopbackSample[], curlSeconds: number): LoopbackFigures {
  const middle = (key: keyof LoopbackSample) => median(samples.map((sample) => sample[key]));
  const [seconds, wallSeconds] = [middle('seconds'), middle('wallSeconds')];
  return {
    seconds,
    wallSeconds,
    childCpuSeconds: middle('childCpuSeconds'),
    parentCpuSeconds: middle('parentCpuSeconds'),
    childPeakBytes: middle('childPeakBytes'),
    parentPeakBytes: middle('parentPeakBytes'),
    rateOfCurl: curlSeconds / seconds,
    wallRateOfCurl: curlSeconds / wallSeconds,
  };
}
