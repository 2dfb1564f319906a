import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { loadHostConfig, loadSchedulerConfig } from '../../app/config.ts';
import { tempDir } from '../support/temp-dir.ts';

const cache = { 'cache-size': '1GiB' };

test('without any source the defaults hold', async () => {
  await using dir = await tempDir();
  const config = loadHostConfig({ flags: { dir: dir.path }, env: {} });
  expect(config).toMatchObject({
    swarm: 'shoal',
    role: 'normal',
    dataPort: 7400,
    adminPort: 7401,
    adminListen: '127.0.0.1',
    dataListen: undefined,
    allowOrigins: [],
    originReaders: 'all',
    pieceEvents: false,
    log: { level: 'info', format: 'json' },
  });
  expect(config.nats).toBeUndefined();
  expect(config.cacheBytes).toBeGreaterThan(0);
  expect(config.limitUpBytesPerSec).toBeUndefined();
});

test('a flag wins over the environment, and the environment over the file', async () => {
  await using dir = await tempDir();
  const file = join(dir.path, 'shoal.yaml');
  writeFileSync(file, 'swarm: from-file\nzone: from-file\ndata-port: 1\nlimit-up: 20MB\n');
  const config = loadHostConfig({
    flags: { ...cache, 'data-port': '3' },
    env: { SHOAL_CONFIG: file, SHOAL_DATA_PORT: '2', SHOAL_ZONE: 'from-env', SHOAL_ROLE: '' },
  });
  expect(config).toMatchObject({
    swarm: 'from-file',
    zone: 'from-env',
    dataPort: 3,
    limitUpBytesPerSec: 20e6,
  });
  expect(loadHostConfig({ flags: cache, env: { SHOAL_CONFIG: '/nowhere' }, configFile: file }).zone).toBe(
    'from-file',
  );
});

test('lists come from repeated flags, comma lists and YAML lists', async () => {
  await using dir = await tempDir();
  const file = join(dir.path, 'shoal.yaml');
  writeFileSync(file, 'allow-origin: [a.example, "B.example:80"]\n');
  const read = (flags: object, env = {}) =>
    loadHostConfig({ flags: { ...cache, ...flags }, env }).allowOrigins;
  expect(read({}, { SHOAL_CONFIG: file })).toEqual(['a.example', 'b.example:80']);
  expect(read({}, { SHOAL_ALLOW_ORIGIN: '127.0.0.1:80, [::1]:8080' })).toEqual([
    '127.0.0.1:80',
    '[::1]:8080',
  ]);
  expect(read({ 'allow-origin': ['localhost', 'x,y'] })).toEqual(['localhost', 'x', 'y']);
});

test('several NATS servers are kept with their credentials', () => {
  const { nats } = loadSchedulerConfig({
    flags: { nats: 'nats://u:p@a:4222,b:4222', 'nats-creds': '/x.creds' },
    env: {},
  });
  expect(nats).toEqual({
    servers: ['nats://u:p@a:4222', 'nats://b:4222'],
    login: { credentials: { credsFile: '/x.creds' }, tls: undefined },
  });
});

test('how many servers of NATS keep what is kept follows from NATS, unless it is said', () => {
  const replicas = (env: Record<string, string>) =>
    loadSchedulerConfig({ flags: { nats: 'a' }, env }).nats?.replicas;
  expect(replicas({})).toBeUndefined();
  expect(replicas({ SHOAL_NATS_REPLICAS: '5' })).toBe(5);
});

test('a configuration is frozen to its depth', () => {
  const config = loadHostConfig({ flags: { ...cache, 'allow-origin': ['a'] }, env: {} });
  expect(Object.isFrozen(config) && Object.isFrozen(config.log) && Object.isFrozen(config.allowOrigins)).toBe(
    true,
  );
});

test('every wrong value is named with where it was set', async () => {
  await using dir = await tempDir();
  const file = join(dir.path, 'shoal.yaml');
  writeFileSync(file, 'role: king\ncolour: blue\n');
  const load = () =>
    loadHostConfig({
      flags: { 'data-port': '70000', 'limit-up': '20M' },
      env: { SHOAL_CONFIG: file, SHOAL_ADVERTISE: 'me' },
    });
  expect(load).toThrow(expect.objectContaining({ code: 'ERR_CONFIG_INVALID' }));
  for (const part of [`${file}: role`, `${file}: colour`, '--data-port', '--limit-up', 'SHOAL_ADVERTISE']) {
    expect(load).toThrow(expect.objectContaining({ message: expect.stringContaining(part) }));
  }
});

test.each([
  ['no YAML', 'a: [b'],
  ['a list', '- a'],
  ['a text', 'hello'],
  ['aliases without end', 'a: &a [x]\nzone: *a'],
])('a file that is %s is refused', async (_name, text) => {
  await using dir = await tempDir();
  const file = join(dir.path, 'shoal.yaml');
  writeFileSync(file, text);
  expect(() => loadHostConfig({ flags: cache, env: {}, configFile: file })).toThrow(
    expect.objectContaining({ code: 'ERR_CONFIG_INVALID' }),
  );
});

test('a missing file is refused, an empty one is none', async () => {
  await using dir = await tempDir();
  const file = join(dir.path, 'shoal.yaml');
  expect(() => loadHostConfig({ flags: cache, env: {}, configFile: file })).toThrow(/cannot be read/);
  writeFileSync(file, '');
  expect(loadHostConfig({ flags: cache, env: {}, configFile: file }).swarm).toBe('shoal');
});

test.each([
  [{ nats: 'http://u:hunter2@x' }],
  [{ nats: '://hunter2' }],
  [{ nats: '' }],
  [{ swarm: 'a.b' }],
  [{ 'allow-origin': ['http://x/'] }],
  [{ 'admin-port': '-1' }],
  [{ 'admin-port': '1.5' }],
  [{ advertise: 'example.org' }],
  [{ 'cache-size': 'big' }],
  [{ 'nats-replicas': '2' }],
  [{ 'nats-replicas': 'many' }],
])('%j is refused, and no password is printed', (flags) => {
  const load = () => loadHostConfig({ flags: { ...cache, ...flags }, env: {} });
  expect(load).toThrow(expect.objectContaining({ code: 'ERR_CONFIG_INVALID' }));
  expect(load).not.toThrow(/hunter2/);
});

test('variables that are no settings are left alone', () => {
  const env = { SHOAL_SERVICE_HOST: '10.0.0.1', SHOAL_PORT: 'tcp://10.0.0.1:80' };
  expect(loadHostConfig({ flags: cache, env }).swarm).toBe('shoal');
});

test('switches are read from flags, variables and files', () => {
  const read = (value: unknown) =>
    loadHostConfig({ flags: { ...cache, 'piece-events': value }, env: {} }).pieceEvents;
  expect([true, 'true', '1', 'on'].map(read)).toEqual([true, true, true, true]);
  expect([false, 'false', '0', 'off'].map(read)).toEqual([false, false, false, false]);
});
