import { chmodSync, mkdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { Finding } from '../../app/doctor/finding.ts';
import { type Child, type Ran, SHOAL, skewedBy, startChild, startCommand, until } from '../support/child.ts';
import { freePort } from '../support/free-port.ts';
import { startNats, type TestNats, type TestNatsOptions } from '../support/nats-server.ts';
import { tempDir } from '../support/temp-dir.ts';
import { tinyImage } from '../support/tiny-image.ts';
import { startTinyRegistry, type TinyRegistry } from '../support/tiny-registry.ts';

const DAY_MS = 86_400_000;
const FREE = ['--data-port', '0', '--admin-port', '0', '--proxy-port', '0'];
const HERE = ['--advertise', '127.0.0.1', '--data-listen', '127.0.0.1'];

let temp: Awaited<ReturnType<typeof tempDir>>;
let nats: TestNats;
let registry: TinyRegistry;
let dead: number;
const running: { stop(): Promise<void> }[] = [];

const at = (name: string) => join(temp.path, name);

function start(name: string, command: readonly string[], env: NodeJS.ProcessEnv = {}): Child {
  const child = startChild([...SHOAL, ...command], at(`${name}.log`), env);
  running.push(child);
  return child;
}

/** A peer in a directory of its own, once it answers. */
async function peer(name: string, natsUrl: string, flags: readonly string[], env: NodeJS.ProcessEnv = {}) {
  start(name, ['peer', '--dir', at(name), '--nats', natsUrl, ...FREE, ...flags], env);
  await until(`${name} to answer`, async () => (await state(name)) || undefined);
}

async function state(name: string): Promise<string | undefined> {
  const { code, stdout } = await startCommand([...SHOAL, 'status', '--json', '--dir', at(name)]).done;
  return code === 0 ? (JSON.parse(stdout) as { state: string }).state : undefined;
}

function server(options: TestNatsOptions = {}): Promise<TestNats> {
  return startNats(options).then((started) => {
    running.push({ stop: () => started.stop() });
    return started;
  });
}

function scheduler(name: string, natsUrl: string, env: NodeJS.ProcessEnv = {}): void {
  start(name, ['scheduler', '--dir', at(name), '--nats', natsUrl, '--admin-port', '0'], env);
}

interface Told extends Ran {
  readonly findings: readonly Finding[];
}

async function doctor(name: string, flags: readonly string[] = [], path = '/nowhere'): Promise<Told> {
  const command = ['env', `PATH=${path}`, ...SHOAL, 'doctor', '--dir', at(name), '--json', ...flags];
  const ran = await startCommand(['/usr/bin/env', ...command.slice(1)]).done;
  return { ...ran, findings: JSON.parse(ran.stdout) as Finding[] };
}

/** What was found of one check, once it is not well. */
function wrong(
  name: string,
  check: string,
  flags: readonly string[] = [],
): Promise<Told & { found: Finding }> {
  return until(`a fault of ${check}`, async () => {
    const told = await doctor(name, flags);
    const found = told.findings.find((finding) => finding.check === check && finding.state === 'fault');
    return found && { ...told, found };
  });
}

beforeAll(async () => {
  temp = await tempDir();
  [nats, registry, dead] = await Promise.all([server(), startTinyRegistry(), freePort()]);
  registry.images.set('team/app:v1', tinyImage([3_000, 100]));
  scheduler('scheduler', nats.url);
  const allowed = ['--allow-origin', registry.name, '--allow-origin', `127.0.0.1:${dead}`];
  await peer('good', nats.url, [...HERE, ...allowed, '--registry', `lab.example=${registry.url}`]);
  await until('it to join', async () => (await state('good')) === 'announced' || undefined);
});

afterAll(async () => {
  for (const each of running.toReversed()) await each.stop();
  await registry[Symbol.asyncDispose]();
  await temp[Symbol.asyncDispose]();
});

test('of a swarm that is well nothing is found, and an image and its report come', async () => {
  const flags = ['--image', 'lab.example/team/app:v1', '--bundle', at('report.json')];
  const { code, stderr, findings } = await doctor('good', flags);
  expect(findings.filter(({ state }) => state === 'fault')).toEqual([]);
  expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
  expect(findings.map(({ check }) => check)).toEqual(
    expect.arrayContaining(['daemon', 'nats', 'jetstream', 'scheduler', 'data ports', 'disk', 'image']),
  );
  expect(statSync(at('report.json')).mode & 0o777).toBe(0o600);
  expect(JSON.parse(readFileSync(at('report.json'), 'utf8'))).toMatchObject({ status: { role: 'normal' } });
});

test('a wrong NATS password is named, and stands in no report', async () => {
  const closed = await server({ config: 'authorization { user: shoal, password: right }' });
  const url = closed.url.replace('nats://', 'nats://shoal:a-wrong-one@');
  await peer('password', url, HERE);
  const { code, found } = await wrong('password', 'nats login', ['--bundle', at('secret.json')]);
  expect(code).toBe(1);
  expect(found.says).toMatch(/refuses its login: .*authorization violation/i);
  expect(found.fix).toContain('--nats-user');
  expect(readFileSync(at('secret.json'), 'utf8')).not.toContain('a-wrong-one');
});

test('a data port that is not reached is named, from both sides', async () => {
  await peer('closed', nats.url, ['--advertise', '127.0.0.9', '--data-listen', '127.0.0.1']);
  const { found } = await wrong('good', 'data port');
  expect(found.says).toMatch(/is not reached at 127\.0\.0\.9:\d+: nothing listens there/);
  expect(found.fix).toMatch(/open TCP \d+ of 127\.0\.0\.9/);
  expect((await wrong('closed', 'data port')).found.fix).toContain('--advertise');
});

test('a registry that speaks http is named, with the flag', async () => {
  const { code, found } = await wrong('good', 'registry', ['--image', `${registry.name}/team/app:v1`]);
  expect(code).toBe(1);
  expect(found.fix).toBe(`start the daemon with --registry ${registry.name}=${registry.url}`);
});

test('an origin that cannot be reached is named', async () => {
  const { code, found } = await wrong('good', 'url', ['--url', `http://127.0.0.1:${dead}/file`]);
  expect(code).toBe(1);
  expect(found.says).toContain(`127.0.0.1:${dead}`);
});

test('a clock that is off by 5 minutes is named', async () => {
  await peer('clock', nats.url, HERE, skewedBy(300_000));
  const { found } = await wrong('clock', 'clock');
  expect(found.says).toMatch(/^5(m| min).* ahead of the scheduler/);
});

test('JetStream that is off is named', async () => {
  const bare = await server({ jetstream: false });
  await peer('bare', bare.url, HERE);
  const { found } = await wrong('bare', 'jetstream');
  expect(found.fix).toContain('-js');
});

test('no scheduler, and one that is not believed, are named', async () => {
  const own = await server();
  await peer('stale', own.url, HERE);
  expect((await wrong('stale', 'scheduler')).found).toMatchObject({
    says: 'none answers',
    fix: expect.stringContaining('shoal scheduler --nats'),
  });
  scheduler('future', own.url, skewedBy(3 * DAY_MS));
  const found = await until('the scheduler to be refused', async () => {
    const { findings } = await doctor('stale');
    return findings.find(({ check, says }) => check === 'scheduler' && says.includes('not believed'));
  });
  expect(found.fix).toContain('stop that scheduler');
});

test('a client that is not configured is named, where an image is what is wrong', async () => {
  mkdirSync(at('programs'));
  writeFileSync(at('programs/crio'), '#!/bin/sh\n');
  chmodSync(at('programs/crio'), 0o755);
  const { findings } = await doctor('good', ['--image', 'lab.example/team/app:v1'], at('programs'));
  expect(findings).toContainEqual({
    check: 'client crio',
    state: 'fault',
    says: 'is on this machine, and does not pull through Shoal',
    fix: 'sudo shoal configure crio',
  });
});

test('a second daemon on a directory is named', async () => {
  const second = start('second', ['peer', '--dir', at('good'), '--nats', nats.url, ...FREE]);
  await second.ended;
  const { found } = await wrong('good', 'directory');
  expect(found.says).toContain(`pid ${second.pid}`);
});

test('a full disk is named', async () => {
  const dir = at('full');
  mkdirSync(dir);
  const script = `mount -t tmpfs -o size=4m none ${dir}
"$@" peer --dir ${dir} --nats ${nats.url} ${[...FREE, ...HERE].join(' ')} >${at('full.log')} 2>&1 &
for _ in $(seq 300); do [ -S ${dir}/shoal.sock ] && break; sleep 0.1; done
dd if=/dev/zero of=${dir}/filler bs=64k 2>/dev/null
"$@" doctor --dir ${dir} --json
kill $!; wait`;
  const namespace = ['unshare', '--map-root-user', '--mount', 'sh', '-c', script, 'sh'];
  const { stdout } = await startCommand([...namespace, ...SHOAL]).done;
  const found = (JSON.parse(stdout) as Finding[]).find(({ check }) => check === 'disk');
  expect(found).toMatchObject({ state: 'fault', says: `${dir} is full` });
});
