import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { networkInterfaces, tmpdir } from 'node:os';
import { join } from 'node:path';
import { beforeAll, expect, onTestFinished, test } from 'vitest';
import { type HostStatus, hostStatusSchema } from '../../admin/control.ts';
import { downloadResultSchema } from '../../core/download.ts';
import { findCommand } from '../../scripts/ensure-system.mjs';
import { ROOT, run, SHOAL, startChild, startCommand, until } from '../support/child.ts';
import { digestOfFile, MIB, writeRandomFile } from '../support/files.ts';
import { startOriginServer } from '../support/origin-server.ts';
import { lastJson } from '../support/swarm.ts';

const PROJECT = 'shoal-acceptance';
const SIZE = 64 * MIB;
const NATS = 'nats://127.0.0.1:4222';

const compose = (...args: string[]) => {
  const program = findCommand('docker-compose');
  const command = program === undefined ? ['docker', 'compose'] : [program];
  return [...command, '-p', PROJECT, '-f', join(ROOT, 'docker-compose.yml'), ...args];
};
const docker = (...args: string[]) => run(['docker', ...args]);

/** Names of the project's containers; one service's, or all. */
async function containers(service?: string): Promise<string[]> {
  const filters = ['--filter', `label=com.docker.compose.project=${PROJECT}`];
  if (service !== undefined) filters.push('--filter', `label=com.docker.compose.service=${service}`);
  const names = await docker('ps', ...filters, '--format', '{{.Names}}');
  return names.split('\n').filter(Boolean);
}

async function healthy(names: readonly string[]): Promise<boolean> {
  const states = await docker('inspect', '-f', '{{.State.Health.Status}}', ...names);
  return states.split('\n').filter((state) => state === 'healthy').length === names.length;
}

beforeAll(async () => {
  const images = ['node:24-bookworm-slim', 'nats:2.12-alpine'];
  await run([join(ROOT, 'scripts/docker-engine.sh'), ...images], 900_000);
}, 900_000);

test('a swarm by compose scales its peers, shares a file inside, and takes in a peer from outside', async () => {
  const dir = mkdtempSync(join(tmpdir(), 'shoal-compose-'));
  const digest = writeRandomFile(join(dir, 'file'), SIZE);
  const origin = await startOriginServer({ '/file': join(dir, 'file') }, '0.0.0.0');
  onTestFinished(async ({ task }) => {
    if (task.result?.state === 'fail') {
      const logs = await startCommand(compose('logs', '--no-color', '--tail', '40')).done;
      console.error(logs.stdout);
    }
    await startCommand(compose('down', '-v', '--remove-orphans')).done;
    await origin[Symbol.asyncDispose]();
    rmSync(dir, { recursive: true, force: true });
  });
  await startCommand(compose('down', '-v', '--remove-orphans')).done;
  await run(compose('up', '-d', '--build', '--scale', 'peer=3'), 600_000);
  const all = await containers();
  expect(all).toHaveLength(7);
  await until('every container to be healthy', async () => (await healthy(all)) || undefined, 120_000);

  const peers = await containers('peer');
  expect(peers).toHaveLength(3);
  for (const name of [...peers, ...(await containers('seed')), ...(await containers('scheduler'))]) {
    expect((await docker('exec', name, 'id', '-u')).trim(), `user of ${name}`).toBe('1000');
  }

  const config = '{{(index .IPAM.Config 0).Gateway}}';
  const gateway = (await docker('network', 'inspect', `${PROJECT}_default`, '-f', config)).trim();
  const url = `http://${gateway}:${origin.port}/file`;
  const flags = ['--digest', digest, '--json'];
  await Promise.all(
    peers.map(async (name) => {
      await docker('exec', name, 'shoal', 'get', url, '-o', '/tmp/file', ...flags);
      const sum = await docker('exec', name, 'sha256sum', '/tmp/file');
      expect(`sha256:${sum.split(' ')[0]}`, `file in ${name}`).toBe(digest);
    }),
  );
  expect(origin.bodyBytes('/file') / SIZE).toBeLessThanOrEqual(1.01);

  // Nobody gets in without a login, and a host's does not remove content.
  const open = await startCommand([...SHOAL, 'host', 'ls', '--nats', NATS], 30_000).done;
  expect(open).toMatchObject({ code: 1, stderr: expect.stringContaining('NATS refuses this login') });
  const login = join(dir, 'host.nk');
  writeFileSync(
    login,
    await docker('exec', (await containers('seed'))[0] ?? '', 'cat', '/etc/shoal/login/host.nk'),
    {
      mode: 0o600,
    },
  );
  const remove = await startCommand(['docker', 'exec', peers[0] ?? '', 'shoal', 'task', 'rm', digest]).done;
  expect(remove).toMatchObject({ code: 1, stderr: expect.stringContaining("give an operator's") });

  const outside = join(dir, 'outside');
  const joined = ['--nats', NATS, '--nats-nkey', login, '--dir', outside];
  const ports = ['--data-port', '0', '--admin-port', '0', '--proxy-port', '0'];
  const daemon = startChild([...SHOAL, 'peer', ...joined, ...ports], join(dir, 'outside.log'));
  try {
    const peer = await until('the peer outside to join', () => joinedStatus(outside));
    const own = Object.values(networkInterfaces()).flatMap((list) => list ?? []);
    const advertised = own.find((entry) => entry.address === peer.ip);
    expect(advertised?.internal, `${peer.ip} is an outward address of this machine`).toBe(false);
    const output = join(dir, 'got');
    const got = await run([...SHOAL, 'get', url, '-o', output, '--dir', outside, ...flags]);
    expect(await digestOfFile(output)).toBe(digest);
    expect(downloadResultSchema.parse(lastJson(got)).bytes).toMatchObject({ origin: 0, peers: SIZE });
    const hosts = JSON.parse(
      await docker('exec', peers[0] ?? '', 'shoal', 'host', 'ls', '--json'),
    ) as unknown;
    expect(hosts).toHaveLength(5);
    const removed = await run(compose('run', '--rm', 'operator', 'task', 'rm', digest, '--json'));
    expect(lastJson(removed)).toMatchObject({ hosts: 5 });

    // The gateway has the login of its role, and lets a token of the operator's in.
    const made = lastJson(await run(compose('run', '--rm', 'operator', 'token', 'create', 'me', '--json')));
    const { token } = made as { readonly token: string };
    const status = await fetch('http://127.0.0.1:7402/api/v1/status', {
      headers: { authorization: `Bearer ${token}` },
    });
    expect(JSON.parse(await status.text())).toMatchObject({ schedulers: 1, hosts: 5, nats: 'connected' });
    expect(await (await fetch('http://127.0.0.1:7402/')).text()).toContain('/console/main.js');

    // A second start keeps the accounts.
    await run(compose('up', '-d', '--scale', 'peer=3'), 600_000);
    expect(await docker('exec', (await containers('seed'))[0] ?? '', 'cat', '/etc/shoal/login/host.nk')).toBe(
      readFileSync(login, 'utf8'),
    );
  } finally {
    await daemon.stop();
  }
}, 900_000);

async function joinedStatus(dir: string): Promise<HostStatus | undefined> {
  const ran = await startCommand([...SHOAL, 'status', '--dir', dir, '--json'], 10_000).done;
  if (ran.code !== 0) return undefined;
  const status = hostStatusSchema.parse(lastJson(ran.stdout));
  return status.state === 'announced' ? status : undefined;
}
