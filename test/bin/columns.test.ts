import { join } from 'node:path';
import { expect, test } from 'vitest';
import type { HostControl, ImageRow } from '../../admin/control.ts';
import { startAdmin } from '../../admin/server.ts';
import { silentLogger } from '../../core/logger.ts';
import { shownId } from '../../core/short-id.ts';
import type { HostRow, SchedulerRow, TaskRow } from '../../core/swarm-rows.ts';
import { fakeControl, TASK } from '../admin/fake-control.ts';
import { type Ran, SHOAL, startCommand } from '../support/child.ts';
import { tempDir } from '../support/temp-dir.ts';

const COLUMNS = 80;
const HOSTS: readonly HostRow[] = ['7', '8'].map((digit) => ({
  hostId: digit.repeat(32),
  name: `node${digit}.with-a-very-long-name.of-a-data-centre.example`,
  ip: 'fd00:1234:5678:9abc:def0:1234:5678:9abc',
  port: 7400,
  role: 'normal',
  zone: 'a-zone-with-a-long-name',
  version: '0.1.0',
  aliveAgoMs: 123_456,
  uploading: 3,
  downloading: 4,
  cachedBytes: 123_456_789_012,
  cachedTasks: 12_345,
}));
const IMAGE: ImageRow = {
  registry: 'registry.with-a-long-name.example:5000',
  repository: 'team/of/many/parts/application-with-a-name',
  tag: 'v1.2.3-alpha.20260131-build.1234',
  digest: `sha256:${'b'.repeat(64)}`,
  kind: 'image',
  platform: 'linux/arm64/v8',
  size: 123_456_789,
  here: 12_345_678,
  parts: 100,
  partsHere: 99,
  lastUsedMs: Date.now() - 86_400_000,
};
const TASKS: readonly TaskRow[] = [
  { ...TASK, sources: [`https://origin.example/${'path/'.repeat(40)}file`], length: 123_456_789_012 },
  { ...TASK, taskId: `url-${'c'.repeat(64)}`, sources: ['https://origin.example/other'], length: 1 },
  { ...TASK, taskId: `${IMAGE.digest.replace(':', '-')}`, sources: [], holders: 2_000 },
  { ...TASK, taskId: `sha256-${'b'.repeat(64)}-at-${'d'.repeat(32)}`, sources: [] },
];
const SCHEDULER: SchedulerRow = {
  schedulerId: '0123456789abcdef',
  name: 'scheduler-0.with-a-very-long-name.of-a-data-centre.example',
  sinceMs: Date.now() - 86_400_000,
  partitions: [...Array(64).keys()],
  epochLeast: 1_767_225_600_362,
  epoch: 1_767_225_601_386,
  guided: true,
  leaving: false,
  tasks: 123_456,
  hosts: 12_345,
  version: '0.1.0',
};

const shoal = (...args: readonly string[]): Promise<Ran> => startCommand([...SHOAL, ...args]).done;

/** Lines that a terminal of 80 columns would break. */
const tooLong = (text: string): string[] => text.split('\n').filter((line) => [...line].length > COLUMNS);

async function daemon(overrides: Partial<HostControl> = {}) {
  const temp = await tempDir();
  const dir = join(temp.path, 'd');
  const shown: string[] = [];
  const control = fakeControl({
    tasks: async () => [...TASKS],
    hosts: async () => [...HOSTS],
    images: async () => [IMAGE],
    schedulers: async () => [SCHEDULER],
    task: async (taskId) => {
      shown.push(taskId);
      return { ...TASK, taskId };
    },
    explain: async (taskId, hostId) => {
      shown.push(hostId ?? taskId);
      return await fakeControl().explain(taskId, hostId);
    },
    ...overrides,
  });
  const admin = await startAdmin({ dir, control, logger: silentLogger });
  return {
    dir,
    shown,
    async [Symbol.asyncDispose]() {
      await admin[Symbol.asyncDispose]();
      await temp[Symbol.asyncDispose]();
    },
  };
}

/** Names of the commands below one, from its own help. */
function commandsIn(help: string): string[] {
  const names = [...help.matchAll(/^ {2}([a-z]+)(?: \[?[<[a-z|].*)?(?: {2,}.*)?$/gm)];
  return names.map(([, name = '']) => name).filter((name) => name !== 'help' && name !== 'shoal');
}

test('the help of no command has a line that a terminal of 80 columns would break', async () => {
  const seen: string[] = [];
  async function read(path: readonly string[]): Promise<void> {
    const { code, stdout } = await shoal(...path, '--help');
    expect(code, path.join(' ')).toBe(0);
    expect(tooLong(stdout), path.join(' ')).toEqual([]);
    seen.push(path.join(' '));
    const [, listed = ''] = /^((?:Commands|[A-Z][a-z ,]+):\n[\s\S]*)$/m.exec(stdout) ?? [];
    const isGroup = / \[command\]/.test(stdout);
    if (isGroup && path.length < 2) for (const name of commandsIn(listed)) await read([...path, name]);
  }
  await read([]);
  expect(seen).toEqual(expect.arrayContaining(['task ls', 'configure containerd', 'doctor', 'version']));
});

test('no table is wider than 80 columns, however long what is in it', async () => {
  await using at = await daemon();
  for (const list of ['task', 'host', 'image', 'scheduler']) {
    const { code, stdout } = await shoal(list, 'ls', '--dir', at.dir);
    expect(code, list).toBe(0);
    expect(tooLong(stdout), list).toEqual([]);
  }
  expect((await shoal('host', 'ls', '--wide', '--dir', at.dir)).stdout).toContain(HOSTS[0]?.name);
  expect(tooLong((await shoal('status', '--dir', at.dir)).stdout)).toEqual([]);
});

test('every id that is shown is taken back, and so is a URL, a digest, an image and a name', async () => {
  await using at = await daemon();
  const { stdout } = await shoal('task', 'ls', '--dir', at.dir);
  const ids = stdout
    .split('\n')
    .slice(1, -1)
    .map((line) => line.split(' ')[0] ?? '');
  expect(ids).toEqual(TASKS.map(({ taskId }) => shownId(taskId)));
  const image = `${IMAGE.registry}/${IMAGE.repository}:${IMAGE.tag}`;
  const [, other = TASK, third = TASK] = TASKS;
  const names = [
    ...ids.map((id, index) => [id, TASKS[index]?.taskId] as const),
    ['https://origin.example/other', other.taskId] as const,
    [IMAGE.digest, third.taskId] as const,
    [image, third.taskId] as const,
  ];
  for (const [name, taskId] of names) {
    expect(await shoal('task', 'show', name, '--dir', at.dir), name).toMatchObject({ code: 0 });
    expect(at.shown.at(-1), name).toBe(taskId);
  }
  for (const name of ['777777777777', HOSTS[0]?.name ?? '']) {
    await shoal('explain', third.taskId, '--host', name, '--dir', at.dir);
    expect(at.shown.at(-1), name).toBe(HOSTS[0]?.hostId);
  }
  const none = await shoal('task', 'show', 'eeeeeeeeeeee', '--dir', at.dir);
  expect(none.code).not.toBe(0);
});

test('a list is sorted and filtered by the titles of its columns', async () => {
  await using at = await daemon();
  const first = async (...flags: string[]) =>
    (await shoal('task', 'ls', '--dir', at.dir, ...flags)).stdout.split('\n')[1]?.split(' ')[0];
  expect(await first('--sort', '-size')).toBe(shownId(TASKS[0]?.taskId ?? ''));
  expect(await first('--sort', 'size')).toBe('cccccccccccc');
  expect(await first('--filter', 'holders=2000')).toBe('bbbbbbbbbbbb');
  const wrong = await shoal('task', 'ls', '--dir', at.dir, '--sort', 'colour');
  expect(wrong).toMatchObject({ code: 2, stderr: expect.stringContaining('there is no column colour') });
});

test('a usage error points to the help, and a wrong name to the right one', async () => {
  expect((await shoal('task', 'sho', 'x')).stderr).toMatch(/Did you mean show\?[\s\S]*see --help/);
  const env = ['/usr/bin/env', 'SHOAL_CASHE_SIZE=1GiB', 'SHOAL_SERVICE_HOST=10.0.0.1'];
  const { stderr } = await startCommand([...env, ...SHOAL, 'status', '--dir', '/nowhere']).done;
  expect(stderr).toContain(
    'warning: SHOAL_CASHE_SIZE is no setting, and nothing reads it; is it SHOAL_CACHE_SIZE?',
  );
  expect(stderr).not.toContain('SERVICE_HOST');
});
