import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { type Child, type Ran, SHOAL, startChild, startCommand, until } from '../support/child.ts';
import { freePort } from '../support/free-port.ts';
import { tempDir } from '../support/temp-dir.ts';
import { tinyImage } from '../support/tiny-image.ts';
import { startTinyRegistry, type TinyRegistry } from '../support/tiny-registry.ts';

let temp: Awaited<ReturnType<typeof tempDir>>;
let dead: number;
/** Known to the daemon; not named to it, so asked by https; refused for its address. */
let known: TinyRegistry;
let plain: TinyRegistry;
let refused: TinyRegistry;
let daemon: Child;
let proxy: string;
let admin: string;
let nats: string;

const at = (name: string) => join(temp.path, name);
const log = () => readFileSync(at('log'), 'utf8');

function shoal(...args: readonly string[]): Promise<Ran> {
  return startCommand([...SHOAL, ...args]).done;
}

function configure(...flags: readonly string[]): Promise<Ran> {
  return shoal('configure', 'containerd', '--config-dir', at('certs.d'), '--proxy', proxy, ...flags);
}

/** Only the registry as the daemon has it. */
const checked = (...names: readonly string[]) =>
  configure('--dir', at('up'), ...names.flatMap((name) => ['--registry', name]));

beforeAll(async () => {
  temp = await tempDir();
  [known, plain, refused] = await Promise.all([
    startTinyRegistry(),
    startTinyRegistry(),
    startTinyRegistry(),
  ]);
  for (const registry of [known, plain, refused]) registry.images.set('team/app:v1', tinyImage([4_000, 200]));
  dead = await freePort();
  const flags = ['--dir', at('up'), '--log-format', 'json', '--registry', `lab.example=${known.url}`];
  for (const port of [new URL(known.url).port, new URL(plain.url).port, dead])
    flags.push('--allow-origin', `127.0.0.1:${port}`);
  const ports = ['--data-port', '--admin-port', '--proxy-port', '--gateway-port'];
  const free = ports.flatMap((name) => [name, '0']);
  daemon = startChild([...SHOAL, 'up', ...flags, ...free], at('log'));
  nats = await until('NATS', () => /NATS at (\S+),/.exec(log())?.[1]);
  proxy = await until('the proxy port', () => /pull images: +(http:\S+) /.exec(log())?.[1]);
  admin = await until('the admin port', () => /"adminPort":(\d+).*swarm up/.exec(log())?.[1]);
  await until('the host', async () => (await fetch(`http://127.0.0.1:${admin}/readyz`)).ok || undefined);
});

afterAll(async () => {
  await daemon.stop();
  for (const registry of [known, plain, refused]) await registry[Symbol.asyncDispose]();
  await temp[Symbol.asyncDispose]();
});

test('a registry that the daemon reaches is said to be, and a small blob comes through it', async () => {
  const ran = await checked('lab.example');
  expect(ran, ran.stdout).toMatchObject({ code: 0, stderr: '' });
  expect(ran.stdout).toMatch(/^containerd: pulls through Shoal$/m);
  expect(ran.stdout).toContain(`lab.example at ${known.url}: allowed, reached, open to all`);
  expect(ran.stdout).toMatch(/^pull test: \d+ B of lab\.example\/team\/app:v1 in .*, from swarm$/m);
  const { stdout } = await shoal('image', 'ls', '--dir', at('up'));
  expect(stdout).toMatch(/lab\.example +team\/app/);
});

test('one that speaks http, and is asked by https, is named with the flag that mends it', async () => {
  const { code, stdout, stderr } = await checked(plain.name);
  expect(code).toBe(1);
  expect(stdout).toMatch(/^containerd: is told to pull through Shoal, and would not/m);
  expect(stdout.replace(/\s+/g, ' ')).toContain(
    `plain-http: the daemon speaks https to it, and it speaks http fix: start the daemon with --registry ${plain.name}=${plain.url}`,
  );
  expect(stderr).toContain('ERR_CONFIG_GOES_AROUND');
});

test('one that the daemon refuses is named with the flag that allows it', async () => {
  const { code, stdout } = await checked(refused.name);
  expect(code).toBe(1);
  expect(stdout.replace(/\s+/g, ' ')).toContain(`start the daemon with --allow-origin ${refused.name}`);
});

test('one that cannot be reached is told of, in JSON too', async () => {
  const { code, stdout } = await configure(
    ...['--dir', at('up'), '--registry', `127.0.0.1:${dead}`, '--json'],
  );
  expect(code).toBe(1);
  expect(JSON.parse(stdout)).toMatchObject({
    checked: { registries: [{ name: `127.0.0.1:${dead}`, trouble: { fault: 'unreachable' } }] },
  });
});

test('without a daemon nothing is said to work, and --no-check says that it was not looked at', async () => {
  const gone = await configure('--dir', at('nobody'), '--registry', 'lab.example');
  expect(gone).toMatchObject({ code: 1, stderr: expect.stringContaining('no daemon listens at') });
  const unchecked = await configure('--dir', at('nobody'), '--registry', 'lab.example', '--no-check');
  expect(unchecked).toMatchObject({ code: 0, stdout: expect.stringContaining('not checked') });
});

test('an image that is not there fails the pull at the end', async () => {
  const image = 'lab.example/team/none:v9';
  const flags = ['--dir', at('up'), '--registry', 'lab.example', '--test-image', image];
  const { code, stderr } = await configure(...flags);
  expect(code).toBe(1);
  expect(stderr).toContain(`the pull test failed: ${image} is answered with 404`);
});

test('a registry that fails is told of once, by the log, the status, a metric and an event', async () => {
  const events = startChild([...SHOAL, 'events', '--json', '--nats', nats], at('events'));
  const heard = () => readFileSync(at('events'), 'utf8');
  await until('events to be followed', () => heard().includes('following') || undefined);
  const other = await freePort();
  const pull = () => fetch(`${proxy}/v2/team/app/manifests/v1?ns=127.0.0.1:${other}`);
  for (let time = 0; time < 3; time++) expect((await pull()).status).toBe(403);
  await until('the event', () => heard().includes('registry.failed') || undefined);
  expect(heard().split('"type":"shoal.v1.registry.failed"')).toHaveLength(2);
  expect(log().match(new RegExp(`"registry":"127.0.0.1:${other}".*go around Shoal`, 'g'))).toHaveLength(1);
  const { stdout } = await shoal('status', '--dir', at('up'));
  expect(stdout).toContain(`registry 127.0.0.1:${other}:`);
  const metrics = await (await fetch(`http://127.0.0.1:${admin}/metrics`)).text();
  expect(metrics).toMatch(/^shoal_registry_failures_total\{fault="refused"\} [1-9]/m);
  await events.stop();
});
