import { execFileSync } from 'node:child_process';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { SHOAL, startCommand } from '../../support/child.ts';
import { MIB, writeRandomFile } from '../../support/files.ts';
import { type OriginServer, startOriginServer } from '../../support/origin-server.ts';
import { type Swarm, startSwarm } from '../../support/swarm.ts';
import { type TempDir, tempDir } from '../../support/temp-dir.ts';

describe('the swarm in a terminal', () => {
  let temp: TempDir;
  let origin: OriginServer;
  let swarm: Swarm;
  let digest = '';

  beforeAll(async () => {
    temp = await tempDir();
    digest = writeRandomFile(join(temp.path, 'file'), MIB);
    writeRandomFile(join(temp.path, 'other'), 1000);
    origin = await startOriginServer({
      '/file': join(temp.path, 'file'),
      '/80': join(temp.path, 'other'),
      '/200': join(temp.path, 'other'),
    });
    swarm = await startSwarm({ peers: 1, hostFlags: ['--allow-origin', `127.0.0.1:${origin.port}`] });
    expect((await swarm.get('peer1', origin.url('/file'), { digest }).done).code).toBe(0);
  });

  afterAll(async () => {
    await swarm[Symbol.asyncDispose]();
    await origin[Symbol.asyncDispose]();
    await temp[Symbol.asyncDispose]();
  });

  const hex = () => digest.slice('sha256:'.length, 'sha256:'.length + 12);

  test('without a terminal it prints one picture, and as JSON all that is known', async () => {
    const once = await startCommand([...SHOAL, 'top', '--nats', swarm.natsUrl]).done;
    expect(once).toMatchObject({ code: 0, stderr: '' });
    expect(once.stdout).toContain('2 hosts (1 seed)');
    expect(once.stdout).toContain(hex());
    // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what must not be there.
    expect(once.stdout).not.toMatch(/[\u0000-\u0009\u000b-\u001f]/);
    const json = await startCommand([...SHOAL, 'top', '--dir', swarm.dirOf('peer1'), '--json']).done;
    expect(JSON.parse(json.stdout)).toMatchObject({
      swarm: 'shoal',
      tasks: [{ length: MIB }],
      schedulers: [{}],
    });
  });

  test('an interval that is none, or too short, is refused', async () => {
    for (const interval of ['soon', '1ms']) {
      const ran = await startCommand([...SHOAL, 'top', '--nats', swarm.natsUrl, '--interval', interval]).done;
      expect(ran.code).toBe(2);
    }
  });

  test.each([
    [80, 24],
    [200, 50],
  ])(
    'at %i by %i: lists, an open task with its map, events; q gives the terminal back',
    async (columns, lines) => {
      const name = `shoal-top-${process.pid}-${columns}`;
      const tmux = (...args: string[]) => execFileSync('tmux', ['-L', name, ...args], { encoding: 'utf8' });
      const shown = () => tmux('capture-pane', '-p', '-t', 'top');
      const command = [...SHOAL, 'top', '--nats', swarm.natsUrl, '--interval', '300ms'].join(' ');
      const size = ['-x', String(columns), '-y', String(lines)];
      tmux('-f', '/dev/null', 'new-session', '-d', '-s', 'top', ...size, `${command}; echo ended; sleep 60`);
      try {
        await expect.poll(shown, { timeout: 20_000 }).toContain(hex());
        expect(shown()).toContain('1 tasks');
        tmux('send-keys', '-t', 'top', 'Enter');
        await expect.poll(shown, { timeout: 20_000 }).toMatch(/[0-9a-f]{12} {2}100% {2}█{8,} {2}complete/);
        tmux('send-keys', '-t', 'top', 'Escape');
        await expect.poll(shown, { timeout: 20_000 }).toContain('arrows move');
        tmux('send-keys', '-t', 'top', '4');
        await expect.poll(shown, { timeout: 20_000 }).toContain('4 events');
        expect((await swarm.get('peer1', origin.url(`/${columns}`)).done).code).toBe(0);
        await expect.poll(shown, { timeout: 20_000 }).toContain('peer.completed');
        tmux('send-keys', '-t', 'top', '2');
        await expect.poll(shown, { timeout: 20_000 }).toContain('seed');
        tmux('send-keys', '-t', 'top', 'q');
        await expect.poll(shown, { timeout: 20_000 }).toMatch(/^ended/);
      } finally {
        tmux('kill-server');
      }
    },
  );
});
