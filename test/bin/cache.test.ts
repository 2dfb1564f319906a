import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { SHOAL, startCommand } from '../support/child.ts';
import { MIB, writeRandomFile } from '../support/files.ts';
import { type Swarm, startSwarm } from '../support/swarm.ts';
import { type TempDir, tempDir } from '../support/temp-dir.ts';

let temp: TempDir;
let swarm: Swarm;
const digests: string[] = [];
const file = (index: number) => join(temp.path, `f${index}`);
const taskOf = (index: number) => (digests[index] ?? '').replace(':', '-');

beforeAll(async () => {
  temp = await tempDir();
  swarm = await startSwarm({ peers: 2, seed: false });
  for (let index = 0; index < 4; index += 1) digests.push(writeRandomFile(file(index), 2 * MIB));
});

afterAll(async () => {
  await swarm?.[Symbol.asyncDispose]();
  await temp?.[Symbol.asyncDispose]();
});

const shoal = (host: string, ...args: string[]) =>
  startCommand([...SHOAL, ...args, '--dir', swarm.dirOf(host)]).done;
const held = async (host: string) => {
  const rows: { taskId: string }[] = JSON.parse((await shoal(host, 'cache', 'ls', '--json')).stdout);
  return rows.map(({ taskId }) => taskId);
};

test('a cache is listed, cleared of one task, and pruned from what was used first', async () => {
  for (const index of digests.keys()) {
    expect(await shoal('peer1', 'import', file(index))).toMatchObject({ code: 0 });
  }
  expect(await held('peer1')).toEqual(digests.map((_, index) => taskOf(index)));
  expect(await shoal('peer1', 'cache', 'ls')).toMatchObject({ stdout: expect.stringContaining(taskOf(3)) });
  expect(await shoal('peer1', 'cache', 'rm', digests[1] ?? '')).toMatchObject({ code: 0 });
  expect(await shoal('peer1', 'cache', 'rm', digests[1] ?? '')).toMatchObject({ code: 3 });
  expect(await held('peer1')).toEqual([taskOf(0), taskOf(2), taskOf(3)]);
  const pruned = await shoal('peer1', 'cache', 'prune', '--to', '4MiB');
  expect(pruned).toMatchObject({ code: 0, stdout: 'removed 1 task, 2 MiB\n' });
  expect(await shoal('peer1', 'cache', 'prune', '--older', '1h')).toMatchObject({
    stdout: 'removed 0 tasks, 0 B\n',
  });
  expect(await held('peer1')).toEqual([taskOf(2), taskOf(3)]);
  expect(await shoal('peer1', 'cache', 'prune')).toMatchObject({ code: 2 });
});

test('a scrub takes back what is damaged, and it comes whole from another host', async () => {
  const digest = digests[3] ?? '';
  expect(await swarm.get('peer2', digest).done).toMatchObject({ code: 0 });
  expect(await shoal('peer1', 'cache', 'scrub')).toMatchObject({
    code: 0,
    stdout: expect.stringContaining('all as it was recorded'),
  });
  const hex = digest.slice('sha256:'.length);
  const data = join(swarm.dirOf('peer1'), 'tasks', hex.slice(0, 2), `sha256-${hex}`, 'data');
  const bytes = readFileSync(data);
  bytes.writeUInt8(bytes.readUInt8(MIB) ^ 1, MIB);
  writeFileSync(data, bytes, { flag: 'r+' });
  const scrubbed = await shoal('peer1', 'cache', 'scrub');
  expect(scrubbed).toMatchObject({ code: 1, stdout: expect.stringContaining('1 piece was damaged') });
  expect(await shoal('peer1', 'cache', 'scrub')).toMatchObject({ code: 0 });
  const output = join(temp.path, 'out');
  expect(await swarm.get('peer1', digest, { output }).done).toMatchObject({ code: 0 });
  expect(readFileSync(output).equals(readFileSync(file(3)))).toBe(true);
});
