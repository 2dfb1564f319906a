import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, onTestFinished } from 'vitest';
import { digestOfFile, MIB, writeRandomFile } from '../../support/files.ts';
import { type OriginServer, startOriginServer } from '../../support/origin-server.ts';
import {
  type Get,
  type GetOptions,
  type GetOutcome,
  type Swarm,
  type SwarmOptions,
  startSwarm,
} from '../../support/swarm.ts';

/** Bytes of the file that is distributed, unless a test says otherwise. */
export const SIZE = 256 * MIB;

/** Flags that make a download last long enough to have a middle. */
export const SLOW = ['--limit-down', '20MB', '--limit-up', '20MB'] as const;

/** A file of random bytes at an origin, and a swarm to fetch it. */
export interface Scene {
  readonly dir: string;
  readonly origin: OriginServer;
  readonly swarm: Swarm;
  readonly url: string;
  readonly digest: string;
  /** Body bytes of the file that left the origin, over its size. */
  copies(): number;
  /** Starts `shoal get` of the file on a host, to a file of its own. */
  get(host: string, options?: GetOptions): Get;
  /** Where `get` puts the file of a host. */
  outputOf(host: string): string;
  /** Waits for gets; each must exit 0 with the right bytes in its file. Prints their figures. */
  allRight(gets: ReadonlyMap<string, Get>): Promise<GetOutcome[]>;
}

/** Opens a scene of 1 seed and 4 peers for the running test; it is closed, and its logs printed on failure, by itself. */
export async function openScene({
  bytes = SIZE,
  ...options
}: Partial<SwarmOptions> & { readonly bytes?: number } = {}): Promise<Scene> {
  const dir = mkdtempSync(join(tmpdir(), 'shoal-scene-'));
  const file = join(dir, 'file');
  const digest = writeRandomFile(file, bytes);
  const origin = await startOriginServer({ '/file': file });
  mkdirSync(join(dir, 'out'));
  const swarm = await startSwarm({
    peers: 4,
    ...options,
    dir: join(dir, 'swarm'),
    hostFlags: ['--allow-origin', `127.0.0.1:${origin.port}`, ...(options.hostFlags ?? [])],
  });
  onTestFinished(async ({ task }) => {
    if (task.result?.state === 'fail') console.error(swarm.logs());
    await swarm[Symbol.asyncDispose]();
    await origin[Symbol.asyncDispose]();
    rmSync(dir, { recursive: true, force: true });
  });
  const url = origin.url('/file');
  const outputOf = (host: string) => join(dir, 'out', host);
  return {
    dir,
    origin,
    swarm,
    url,
    digest,
    copies: () => origin.bodyBytes('/file') / bytes,
    get: (host, more) => swarm.get(host, url, { output: outputOf(host), ...more }),
    outputOf,
    async allRight(gets) {
      const outcomes: GetOutcome[] = [];
      for (const [host, get] of gets) {
        const outcome = await get.done;
        expect(outcome, `get on ${host}`).toMatchObject({ code: 0 });
        expect(await digestOfFile(outputOf(host)), `file of ${host}`).toBe(digest);
        note(`${host}: ${figuresOf(outcome)}`);
        outcomes.push(outcome);
      }
      note(`origin: ${(origin.bodyBytes('/file') / bytes).toFixed(4)} copies`);
      return outcomes;
    },
  };
}

/** Starts a get of the scene's file on each host. */
export function getOnEach(scene: Scene, hosts: readonly string[]): Map<string, Get> {
  return new Map(hosts.map((host) => [host, scene.get(host)]));
}

/** The longest time without a byte among outcomes, ms. */
export function longestGapMs(outcomes: readonly GetOutcome[]): number {
  return Math.max(...outcomes.map((outcome) => outcome.result?.longestGapMs ?? Number.POSITIVE_INFINITY));
}

/** Prints a measured figure. */
export function note(text: string): void {
  console.log(`  ${text}`);
}

function figuresOf({ wallMs, result }: GetOutcome): string {
  if (result === undefined) return 'failed';
  const { origin, peers, local } = result.bytes;
  const mib = (bytes: number) => (bytes / MIB).toFixed(1);
  return `${(wallMs / 1000).toFixed(2)} s, MiB from origin ${mib(origin)}, peers ${mib(peers)}, local ${mib(local)}, longest gap ${Math.round(result.longestGapMs)} ms`;
}
