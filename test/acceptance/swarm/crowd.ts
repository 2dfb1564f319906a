import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { expect } from 'vitest';
import { connectDaemon } from '../../../admin/client.ts';
import { dataFiles, digestOfFile, writeRandomFile } from '../../support/files.ts';
import { type OriginServer, startOriginServer } from '../../support/origin-server.ts';
import { type Swarm, startSwarm } from '../../support/swarm.ts';
import { tempDir } from '../../support/temp-dir.ts';

/** Between two looks at what a host has received, ms. */
const LOOK_MS = 200;
const RATE = '12MB';

/** What a crowd of gets came to. */
export interface CrowdFigures {
  readonly seconds: number;
  /** Body bytes that left the origin, over those of the files. */
  readonly copies: number;
  /** The longest time that a host with gets under way received nothing, ms, and which. */
  readonly longestGapMs: number;
  readonly gapHost: string;
}

interface CrowdOptions {
  readonly hosts: number;
  readonly files: number;
  /** Of each file. */
  readonly bytes: number;
  readonly schedulers: number;
  /** Goes on until the signal aborts, beside the gets. */
  readonly during: (swarm: Swarm, signal: AbortSignal) => Promise<void>;
}

/** Every host gets every file at once, half of them by digest. All must be right on disk in the end. */
export async function crowd(
  options: CrowdOptions,
  ready: (swarm: Swarm) => Promise<unknown>,
): Promise<CrowdFigures> {
  await using temporary = await tempDir();
  const dir = temporary.path;
  mkdirSync(join(dir, 'www'));
  const names = Array.from({ length: options.files }, (_, index) => `/file${index}`);
  const digests = new Map(
    names.map((name) => [name, writeRandomFile(join(dir, 'www', name), options.bytes)]),
  );
  const files = Object.fromEntries(names.map((name) => [name, join(dir, 'www', name)]));
  await using origin = await startOriginServer(files);
  await using swarm = await startSwarm({
    peers: options.hosts,
    seed: false,
    schedulers: options.schedulers,
    dir: join(dir, 'swarm'),
    hostFlags: ['--allow-origin', `127.0.0.1:${origin.port}`, '--limit-down', RATE, '--limit-up', RATE],
  });
  try {
    await ready(swarm);
    const ended = new AbortController();
    const during = options.during(swarm, ended.signal);
    const begunMs = performance.now();
    const gaps = await Promise.all(swarm.hosts.map((host) => getAll(swarm, host, origin, digests)));
    const seconds = (performance.now() - begunMs) / 1_000;
    ended.abort();
    await during;
    for (const host of swarm.hosts) {
      const there = await Promise.all(dataFiles(swarm.dirOf(host)).map(digestOfFile));
      expect(there.sort(), host).toEqual([...digests.values()].sort());
    }
    const read = names.reduce((sum, name) => sum + origin.bodyBytes(name), 0);
    const longestGapMs = Math.max(...gaps);
    const gapHost = swarm.hosts[gaps.indexOf(longestGapMs)] ?? '';
    return { seconds, copies: read / (options.files * options.bytes), longestGapMs, gapHost };
  } catch (error) {
    console.error(swarm.logs());
    throw error;
  }
}

/** Gets all files on a host. Resolves with the longest time that it received nothing meanwhile, ms. */
async function getAll(
  swarm: Swarm,
  host: string,
  origin: OriginServer,
  digests: ReadonlyMap<string, string>,
): Promise<number> {
  const daemon = await connectDaemon(swarm.dirOf(host));
  const signal = AbortSignal.timeout(600_000);
  let isDone = false;
  const gets = [...digests].map(([name, digest], index) => {
    const known = index % 2 === 0 ? { digest } : {};
    const request = { resource: origin.url(name), headers: {}, noOrigin: false, maxStaleMs: 0, ...known };
    return daemon.get(request, () => undefined, signal);
  });
  const all = Promise.all(gets).finally(() => {
    isDone = true;
  });
  let longestMs = 0;
  let received = -1;
  let movedMs = performance.now();
  while (!isDone) {
    const { bytes } = await daemon.status();
    const nowMs = performance.now();
    if (bytes.origin + bytes.peers !== received) {
      received = bytes.origin + bytes.peers;
      movedMs = nowMs;
    }
    if (!isDone) longestMs = Math.max(longestMs, nowMs - movedMs);
    await delay(LOOK_MS);
  }
  await all;
  return longestMs;
}
