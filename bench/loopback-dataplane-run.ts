import { type ChildProcess, fork } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { startCommand } from '../test/support/child.ts';
import { median } from '../test/support/figures.ts';
import { writeRandomFile } from '../test/support/files.ts';
import { freePort } from '../test/support/free-port.ts';
import { type Nginx, startNginx } from '../test/support/nginx.ts';
import type { EndMessage, EndRequest } from './loopback-dataplane-end.ts';

/** Medians at one number of transfers in parallel. */
export interface DataPlaneFigures {
  readonly parallel: number;
  readonly seconds: number;
  readonly childCpuSeconds: number;
  readonly parentCpuSeconds: number;
  readonly childPeakBytes: number;
}

export interface DataPlaneReport {
  readonly bytes: number;
  readonly runs: number;
  readonly curlSeconds: number;
  readonly figures: readonly DataPlaneFigures[];
}

/** Moves a file from one process to another through the data plane, each piece hashed, beside curl from nginx. */
export async function measureDataPlane(
  bytes: number,
  runs: number,
  parallels: readonly number[],
  encrypted: boolean,
): Promise<DataPlaneReport> {
  const dir = mkdtempSync(join(tmpdir(), 'shoal-dataplane-'));
  const parent = startEnd();
  try {
    mkdirSync(join(dir, 'www'));
    const path = join(dir, 'www/file');
    writeRandomFile(path, bytes);
    const port = await freePort('127.0.0.1');
    await using nginx = await startNginx({ dir, root: join(dir, 'www'), address: '127.0.0.1', port });
    const serving = await ask(parent, { kind: 'serve', path, bytes });
    if (serving.kind !== 'serving') throw new Error('the parent does not serve');
    const curls: number[] = [];
    const samples = new Map<number, DataPlaneFigures[]>(parallels.map((parallel) => [parallel, []]));
    for (let index = 0; index < runs; index += 1) {
      curls.push(await curlOnce(nginx, join(dir, 'curl')));
      for (const parallel of parallels) {
        const to = join(dir, 'received');
        samples.get(parallel)?.push(await fetchOnce(parent, serving.port, to, bytes, parallel, encrypted));
        rmSync(to);
      }
    }
    const figures = parallels.map((parallel) => {
      const of = samples.get(parallel) ?? [];
      const middle = (key: keyof DataPlaneFigures) => median(of.map((sample) => sample[key]));
      return {
        parallel,
        seconds: middle('seconds'),
        childCpuSeconds: middle('childCpuSeconds'),
        parentCpuSeconds: middle('parentCpuSeconds'),
        childPeakBytes: middle('childPeakBytes'),
      };
    });
    return { bytes, runs, curlSeconds: median(curls), figures };
  } finally {
    parent.kill();
    rmSync(dir, { recursive: true, force: true });
  }
}

async function curlOnce(nginx: Nginx, output: string): Promise<number> {
  const ran = await startCommand(['curl', '-sf', '-o', output, nginx.url('/file')]).done;
  if (ran.code !== 0) throw new Error(`curl ended with ${ran.code}: ${ran.stderr}`);
  rmSync(output);
  return ran.wallMs / 1000;
}

async function fetchOnce(
  parent: ChildProcess,
  port: number,
  path: string,
  bytes: number,
  parallel: number,
  encrypted: boolean,
): Promise<DataPlaneFigures> {
  const child = startEnd();
  try {
    const before = await ask(parent, { kind: 'usage' });
    const got = await ask(child, { kind: 'fetch', port, path, bytes, parallel, encrypted });
    const after = await ask(parent, { kind: 'usage' });
    if (got.kind !== 'fetched' || before.kind !== 'usage' || after.kind !== 'usage') {
      throw new Error(`the download failed: ${JSON.stringify(got)}`);
    }
    const parentCpuSeconds = after.cpuSeconds - before.cpuSeconds;
    return {
      parallel,
      seconds: got.seconds,
      childCpuSeconds: got.cpuSeconds,
      parentCpuSeconds,
      childPeakBytes: got.peakBytes,
    };
  } finally {
    child.kill();
  }
}

function startEnd(): ChildProcess {
  return fork(new URL('./loopback-dataplane-end.ts', import.meta.url));
}

function ask(end: ChildProcess, request: EndRequest): Promise<EndMessage> {
  return new Promise((resolve, reject) => {
    const onExit = () => reject(new Error('an end of the bench died'));
    end.once('exit', onExit);
    end.once('message', (message) => {
      end.off('exit', onExit);
      resolve(message as EndMessage);
    });
    end.send(request);
  });
}
