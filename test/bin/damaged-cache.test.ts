import {
  closeSync,
  openSync,
  readdirSync,
  readFileSync,
  readSync,
  rmSync,
  truncateSync,
  writeSync,
} from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { SHOAL, startCommand } from '../support/child.ts';
import { digestOfFile, MIB, writeRandomFile } from '../support/files.ts';
import { type OriginServer, startOriginServer } from '../support/origin-server.ts';
import { type Swarm, startSwarm } from '../support/swarm.ts';
import { type TempDir, tempDir } from '../support/temp-dir.ts';

const BYTES = 12 * MIB;

/** The data file of a task in the cache of a host. */
function dataOf(dir: string, digest: string): string {
  const hex = digest.slice('sha256:'.length);
  return join(dir, 'tasks', hex.slice(0, 2), `sha256-${hex}`, 'data');
}

/** Flips one bit, as a bad disk does: nobody is told. */
function flip(path: string, at: number): void {
  const file = openSync(path, 'r+');
  const byte = Buffer.alloc(1);
  readSync(file, byte, 0, 1, at);
  writeSync(file, Buffer.from([(byte[0] ?? 0) ^ 1]), 0, 1, at);
  closeSync(file);
}

/** What is done to the cache of a host, and how much may be read of the origin for it. */
const DAMAGES: readonly [string, (data: string) => void, number][] = [
  ['one flipped bit', (data) => flip(data, 5 * MIB + 7), 0.1],
  [
    'bits flipped in three pieces',
    (data) => {
      for (const at of [3, 4 * MIB, BYTES - 1]) flip(data, at);
    },
    0.1,
  ],
  ['data cut to a hundred bytes', (data) => truncateSync(data, 100), 1.1],
  ['the folder of all tasks deleted', (data) => rmSync(join(data, '../../..'), { recursive: true }), 1.1],
];

describe('content that was damaged in the cache under a running daemon', () => {
  let temp: TempDir;
  let origin: OriginServer;
  let swarm: Swarm;
  const digests: string[] = [];

  beforeAll(async () => {
    temp = await tempDir();
    const files: Record<string, string> = {};
    for (let index = 0; index < 2 * DAMAGES.length; index += 1) {
      const path = join(temp.path, `file${index}`);
      digests.push(writeRandomFile(path, BYTES));
      files[`/${index}`] = path;
    }
    origin = await startOriginServer(files);
    const hostFlags = ['--allow-origin', `127.0.0.1:${origin.port}`];
    swarm = await startSwarm({ peers: 1, seed: false, hostFlags });
  });

  afterAll(async () => {
    await swarm[Symbol.asyncDispose]();
    await origin[Symbol.asyncDispose]();
    await temp[Symbol.asyncDispose]();
  });

  const cases = DAMAGES.flatMap(([what, damage, copies], index) =>
    (['to a file', 'as a stream'] as const).map((how) => ({ what, damage, copies, how, index })),
  );

  test.each(cases)('$what: it is given right $how', async ({ damage, copies, how, index }) => {
    const at = how === 'to a file' ? index : DAMAGES.length + index;
    const digest = digests[at] ?? '';
    const url = origin.url(`/${at}`);
    expect((await swarm.get('peer1', url, { digest }).done).code).toBe(0);
    const before = origin.bodyBytes(`/${at}`);
    damage(dataOf(swarm.dirOf('peer1'), digest));

    const output = join(temp.path, `out${at}`);
    if (how === 'to a file') {
      const got = await swarm.get('peer1', url, { digest, output }).done;
      expect(got, swarm.logs()).toMatchObject({ code: 0 });
      expect(await digestOfFile(output)).toBe(digest);
    } else {
      const get = [...SHOAL, 'get', url, '--digest', digest, '--dir', swarm.dirOf('peer1'), '-q', '-o', '-'];
      const got = await startCommand(['sh', '-c', '"$@" | sha256sum', 'sh', ...get]).done;
      expect(got.stdout, swarm.logs()).toContain(digest.slice('sha256:'.length));
    }
    expect(origin.bodyBytes(`/${at}`) - before).toBeLessThanOrEqual(BYTES * copies);

    // And it stays mended: nothing more is read.
    const mended = origin.bodyBytes(`/${at}`);
    const again = await swarm.get('peer1', url, { digest, output }).done;
    expect(again.code, swarm.logs()).toBe(0);
    expect(await digestOfFile(output)).toBe(digest);
    expect(origin.bodyBytes(`/${at}`)).toBe(mended);
    expect(readdirSync(temp.path).filter((name) => name.startsWith('.'))).toEqual([]);
  });

  test('each damaged piece is told in the log', () => {
    const log = readFileSync(join(swarm.dir, 'logs/peer1.log'), 'utf8');
    expect(log).toContain('pieces on disk are not what was recorded');
  });
});

describe('a piece that was damaged in the cache of a parent', () => {
  test('its child gets the right one, and the parent hears of it and mends its own', async () => {
    await using temp = await tempDir();
    const path = join(temp.path, 'file');
    const digest = writeRandomFile(path, BYTES);
    await using origin = await startOriginServer({ '/file': path });
    const hostFlags = ['--allow-origin', `127.0.0.1:${origin.port}`];
    await using swarm = await startSwarm({ peers: 2, seed: false, hostFlags });
    const url = origin.url('/file');
    expect((await swarm.get('peer1', url, { digest }).done).code).toBe(0);
    const data = dataOf(swarm.dirOf('peer1'), digest);
    flip(data, 5 * MIB + 7);

    const output = join(temp.path, 'out');
    const got = await swarm.get('peer2', url, { digest, output }).done;
    expect(got, swarm.logs()).toMatchObject({ code: 0 });
    expect(await digestOfFile(output)).toBe(digest);
    // Nobody reads the parent's content now but the parent itself, told by the scheduler.
    await expect.poll(() => digestOfFile(data), { timeout: 30_000, interval: 200 }).toBe(digest);
    expect(readFileSync(join(swarm.dir, 'logs/peer1.log'), 'utf8')).toContain('not what was recorded');
    expect(origin.bodyBytes('/file')).toBeLessThanOrEqual(1.2 * BYTES);
  });
});
