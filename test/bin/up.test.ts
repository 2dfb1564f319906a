import { mkdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { explanationSchema } from '../../core/swarm-rows.ts';
import { SHOAL, startChild, startCommand, until } from '../support/child.ts';
import { digestOfFile, MIB, writeRandomFile } from '../support/files.ts';
import { startOriginServer } from '../support/origin-server.ts';
import { tempDir } from '../support/temp-dir.ts';

function logged(file: string, message: string): Record<string, unknown> | undefined {
  const lines = readFileSync(file, 'utf8').split('\n');
  const line = lines.find((text) => text.startsWith('{') && text.includes(`"msg":"${message}"`));
  return line === undefined ? undefined : (JSON.parse(line) as Record<string, unknown>);
}

test('up brings up a swarm that gets a file, tells of it, shows its health and stops in good order', async () => {
  await using temp = await tempDir();
  const at = (name: string) => join(temp.path, name);
  mkdirSync(at('files'));
  const digest = writeRandomFile(at('files/big'), 5 * MIB);
  await using origin = await startOriginServer({ '/big': at('files/big') });
  const flags = [
    '--dir',
    at('up'),
    '--data-port',
    '0',
    '--admin-port',
    '0',
    '--proxy-port',
    '0',
    '--log-format',
    'json',
  ];
  const own = ['--gateway-port', '0', '--allow-origin', `127.0.0.1:${origin.port}`];
  const up = startChild([...SHOAL, 'up', ...flags, ...own], at('log'));
  try {
    const { adminPort, gateway } = await until('the swarm to be up', () => logged(at('log'), 'swarm up'));
    const nats = await until(
      'the address of NATS',
      () => /NATS at (\S+),/.exec(readFileSync(at('log'), 'utf8'))?.[1],
    );
    const admin = `http://127.0.0.1:${adminPort}`;
    await until('it to be ready', async () => (await fetch(`${admin}/readyz`)).ok || undefined);

    const events = startChild([...SHOAL, 'events', 'peer.completed', '--json', '--nats', nats], at('events'));
    await until(
      'events to be followed',
      () => readFileSync(at('events'), 'utf8').includes('following') || undefined,
    );
    const get = ['get', origin.url('/big'), '--digest', digest, '-o', at('out'), '--dir', at('up')];
    const got = await startCommand([...SHOAL, ...get]).done;
    expect(got).toMatchObject({
      code: 0,
      stderr: expect.stringMatching(/^got 5 MiB in .*; sha256 verified\n$/),
    });
    expect(await digestOfFile(at('out'))).toBe(digest);
    expect(origin.bodyBytes('/big')).toBeLessThanOrEqual(5 * MIB * 1.01);
    const event = await until('the event', () =>
      readFileSync(at('events'), 'utf8')
        .split('\n')
        .find((line) => line.startsWith('{')),
    );
    expect(JSON.parse(event)).toMatchObject({ specversion: '1.0', data: { length: 5 * MIB } });
    events.signal('SIGINT');
    await events.ended;

    expect(await (await fetch(`${admin}/metrics`)).text()).toMatch(
      /^shoal_bytes_total\{source="origin"\} 5242880$/m,
    );
    const rows = await startCommand([...SHOAL, 'task', 'ls', '--nats', nats, '--json']).done;
    expect(JSON.parse(rows.stdout)).toMatchObject([{ taskId: digest.replace(':', '-'), holders: 1 }]);
    const explain = [...SHOAL, 'explain', digest, '--nats', nats];
    const [told, json] = await Promise.all([
      startCommand(explain).done,
      startCommand([...explain, '--json']).done,
    ]);
    expect(told).toMatchObject({ code: 0, stdout: expect.stringContaining('told by the host itself') });
    expect(explanationSchema.parse(JSON.parse(json.stdout))).toMatchObject({
      bytes: { origin: 5 * MIB, peers: 0, local: 0 },
      originReasons: { 'no-holder': 5 * MIB },
      heard: { scheduler: true, hosts: 1, log: 'read' },
    });
    const token = ['token', 'create', 'ci', '--scope', 'read', '--dir', at('up'), '--json'];
    const made = await startCommand([...SHOAL, ...token]).done;
    const headers = { authorization: `Bearer ${JSON.parse(made.stdout).token}` };
    const tasks = `${gateway}/api/v1/tasks`;
    expect(await (await fetch(`${tasks}?id=${digest}`, { headers })).json()).toMatchObject({
      tasks: [{ taskId: digest.replace(':', '-'), holders: 1 }],
    });
    const listed = await startCommand([...SHOAL, 'token', 'ls', '--nats', nats]).done;
    expect(listed.stdout).toMatch(/^ID +NAME +SCOPES +MADE +HOLDS\n[0-9a-f]{16} +ci +read +\S+ \S+ +until /);
    expect(await startCommand([...SHOAL, 'token', 'revoke', 'ci', '--nats', nats]).done).toMatchObject({
      code: 0,
      stdout: expect.stringMatching(/^revoked ci \(/),
    });
    await until(
      'the token to be revoked',
      async () => (await fetch(tasks, { headers })).status === 401 || undefined,
    );
    const second = await startCommand([...SHOAL, 'peer', ...flags, '--nats', nats]).done;
    expect(second).toMatchObject({ code: 1, stderr: expect.stringContaining('ERR_CONFIG_DIR_LOCKED') });
  } finally {
    await up.stop();
  }
  expect(logged(at('log'), 'swarm stopped')).toBeDefined();
});
