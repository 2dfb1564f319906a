import { mkdirSync, readFileSync, statSync, utimesSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { SHOAL, startCommand } from '../support/child.ts';
import { digestOfFile, MIB, writeRandomFile } from '../support/files.ts';
import { type OriginServer, startOriginServer } from '../support/origin-server.ts';
import { type Swarm, startSwarm } from '../support/swarm.ts';
import { type TempDir, tempDir } from '../support/temp-dir.ts';

const SIZES = [0, 1, 70_000, MIB, 3 * MIB + 1];
/** Any time that is not now. */
const LONG_AGO = 1_000_000;

let temp: TempDir;
let origin: OriginServer;
let swarm: Swarm;
const digests: string[] = [];

beforeAll(async () => {
  temp = await tempDir();
  const files: Record<string, string> = {};
  for (const [index, bytes] of SIZES.entries()) {
    const path = join(temp.path, `f${index}`);
    digests.push(writeRandomFile(path, bytes));
    files[`/v1/f${index}`] = path;
  }
  origin = await startOriginServer(files);
  swarm = await startSwarm({
    peers: 1,
    seed: false,
    hostFlags: ['--allow-origin', `127.0.0.1:${origin.port}`],
  });
});

afterAll(async () => {
  await swarm?.[Symbol.asyncDispose]();
  await origin?.[Symbol.asyncDispose]();
  await temp?.[Symbol.asyncDispose]();
});

const get = (...args: string[]) =>
  startCommand([...SHOAL, 'get', '--dir', swarm.dirOf('peer1'), ...args]).done;
const source = (index: number) => readFileSync(join(temp.path, `f${index}`));

test.each(['through the daemon', 'with neither daemon nor NATS'])(
  'a list of files comes whole %s',
  async (how) => {
    const out = join(temp.path, how.replaceAll(' ', '-'));
    const list = join(temp.path, 'list');
    const lines = SIZES.map((_, index) => `${origin.url(`/v1/f${index}`)} ${digests[index]} sub/${index}`);
    writeFileSync(list, lines.join('\n'));
    const where = how === 'through the daemon' ? [] : ['--dir', join(temp.path, 'nobody')];
    const got = await get('--list', list, '-o', out, ...where);
    expect(got).toMatchObject({ code: 0, stderr: expect.stringContaining('got 5 of 5 files, 4.07 MiB') });
    for (const index of SIZES.keys()) {
      expect(readFileSync(join(out, `sub/${index}`)).equals(source(index))).toBe(true);
    }
  },
);

test('one that fails ends none of the others, and the exit code tells', async () => {
  const out = join(temp.path, 'failing');
  const list = join(temp.path, 'SHA256SUMS');
  const wrong = `${'0'.repeat(64)}  f1`;
  const lines = [2, 3].map((index) => `${digests[index]?.slice(7)}  f${index}`);
  writeFileSync(list, [...lines, wrong].join('\n'));
  const got = await get('--list', list, '--base', origin.url('/v1/'), '-o', out);
  expect(got).toMatchObject({ code: 4, stderr: expect.stringContaining('2 of 3 files') });
  expect(got.stderr).toContain('f1: ');
  expect(readFileSync(join(out, 'f3')).equals(source(3))).toBe(true);
  writeFileSync(list, [wrong, `${'1'.repeat(64)}  missing`].join('\n'));
  const json = await get('--list', list, '--base', origin.url('/v1/'), '-o', out, '--json');
  expect(json.code).toBe(1);
  expect(JSON.parse(json.stdout)).toMatchObject([{ outcome: 'failed' }, { outcome: 'failed' }]);
});

test('with --if-changed what has these bytes is left alone, and --no-clobber asks nobody', async () => {
  const out = join(temp.path, 'changed');
  mkdirSync(out);
  const list = join(temp.path, 'urls');
  const names = [2, 3].map((index) => origin.url(`/v1/f${index}`));
  writeFileSync(list, names.join('\n'));
  const [same, other] = [join(out, 'f2'), join(out, 'f3')];
  for (const path of [same, other]) writeFileSync(path, source(2));
  for (const path of [same, other]) utimesSync(path, LONG_AGO, LONG_AGO);
  const kept = await get('--list', list, '-o', out, '--no-clobber');
  expect(kept).toMatchObject({ code: 0, stderr: expect.stringContaining('2 kept') });
  const got = await get('--list', list, '-o', out, '--if-changed');
  expect(got).toMatchObject({ code: 0, stderr: expect.stringContaining('got 1 of 2 files') });
  expect(statSync(same).mtimeMs).toBe(LONG_AGO * 1000);
  expect(readFileSync(other).equals(source(3))).toBe(true);
  utimesSync(other, LONG_AGO, LONG_AGO);
  const one = await get(origin.url('/v1/f3'), '-o', other, '--if-changed');
  expect(one).toMatchObject({ code: 0, stderr: expect.stringContaining('left as it is') });
  expect(statSync(other).mtimeMs).toBe(LONG_AGO * 1000);
});

test('a query parameter that is filtered makes no other content of it', async () => {
  const url = origin.url('/v1/f3');
  const before = origin.bodyBytes('/v1/f3');
  for (const session of ['1', '2', '3']) {
    const flags = ['--filter-query', 'session', '--filter-query', 'user', '-o', join(temp.path, session)];
    expect(await get(`${url}?session=${session}&user=${session}`, ...flags)).toMatchObject({ code: 0 });
    expect(readFileSync(join(temp.path, session)).equals(source(3))).toBe(true);
  }
  expect(origin.bodyBytes('/v1/f3') - before).toBeLessThanOrEqual(1.02 * MIB);
});

test.each([
  ['1048570-1048600', 1_048_570, 1_048_601],
  ['3145720-', 3_145_720, 3 * MIB + 1],
  ['-9', 3 * MIB - 8, 3 * MIB + 1],
])('a range comes alone, to a file and to standard output: %s', async (range, start, end) => {
  const url = origin.url('/v1/f4');
  const file = join(temp.path, 'part');
  const wanted = source(4).subarray(start, end);
  expect(await get(url, '--range', range, '-o', file)).toMatchObject({ code: 0 });
  expect(readFileSync(file).equals(wanted)).toBe(true);
  const piped = join(temp.path, 'piped');
  const command = [...SHOAL, 'get', '--dir', swarm.dirOf('peer1'), url, '--range', range, '-o', '-'];
  expect(await startCommand(['sh', '-c', `"$@" > ${piped}`, 'sh', ...command]).done).toMatchObject({
    code: 0,
  });
  expect(await digestOfFile(piped)).toBe(await digestOfFile(file));
});

test.each([[['--range', '9-3', '-o', 'x']], [['--range', '0-3']], [['--list', '/nowhere']]])(
  'what does not go together is told: %j',
  async (flags) => {
    const url = flags.includes('--list') ? [] : [origin.url('/v1/f4')];
    expect(await get(...url, ...flags)).toMatchObject({ code: 2 });
  },
);
