import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { SHOAL, startCommand } from '../support/child.ts';
import { digestOfFile, MIB, writeRandomFile } from '../support/files.ts';
import { type Swarm, startSwarm } from '../support/swarm.ts';
import { type TempDir, tempDir } from '../support/temp-dir.ts';

let temp: TempDir;
let swarm: Swarm;

beforeAll(async () => {
  temp = await tempDir();
  swarm = await startSwarm({ peers: 2, seed: false });
});

afterAll(async () => {
  await swarm?.[Symbol.asyncDispose]();
  await temp?.[Symbol.asyncDispose]();
});

const shoal = (host: string, command: string, ...args: string[]) =>
  startCommand([...SHOAL, command, '--dir', swarm.dirOf(host), ...args]).done;

test('files that one host imports are exported on another, pinned, and told from others', async () => {
  const file = join(temp.path, 'a.bin');
  await writeRandomFile(file, 3 * MIB + 5);
  const empty = join(temp.path, 'empty');
  writeFileSync(empty, '');
  const digest = await digestOfFile(file);

  const imported = await shoal('peer1', 'import', file, empty, '--pin', '2', '--nats', swarm.natsUrl);
  expect(imported).toMatchObject({
    code: 0,
    stdout: `${digest}  ${file}\n${await digestOfFile(empty)}  ${empty}\n`,
  });
  expect(imported.stderr).toMatch(/pinned by job [0-9a-f]+/);

  // The job has the other host hold it too, which outlives the one that had the file.
  const keeps = async () => JSON.parse((await shoal('peer2', 'stat', digest, '--json')).stdout)[0].here?.kept;
  await expect.poll(keeps, { timeout: 60_000 }).toBe(true);
  await swarm.stop('peer1');
  const out = join(temp.path, 'out.bin');
  expect(await shoal('peer2', 'export', digest, '-o', out)).toMatchObject({ code: 0 });
  expect(readFileSync(out).equals(readFileSync(file))).toBe(true);

  expect(await shoal('peer2', 'verify', out, empty)).toMatchObject({
    code: 0,
    stdout: expect.stringContaining(`${out}: OK, ${digest}, here as ${digest.replace(':', '-')}`),
  });
  writeFileSync(out, 'other');
  const other = await shoal('peer2', 'verify', out, file);
  expect(other).toMatchObject({ code: 4, stdout: expect.stringContaining(`${out}: unknown`) });
  expect(await shoal('peer2', 'stat', `sha256:${'0'.repeat(64)}`)).toMatchObject({ code: 3 });
  expect(await shoal('peer2', 'import', join(temp.path, 'none'))).toMatchObject({ code: 1 });
});
