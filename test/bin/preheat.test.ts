import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { SHOAL, startChild, startCommand, until } from '../support/child.ts';
import { MIB, writeRandomFile } from '../support/files.ts';
import { type OriginServer, startOriginServer } from '../support/origin-server.ts';
import { type Swarm, startSwarm } from '../support/swarm.ts';
import { type TempDir, tempDir } from '../support/temp-dir.ts';
import { tinyImage } from '../support/tiny-image.ts';
import { startTinyRegistry, type TinyRegistry } from '../support/tiny-registry.ts';

let temp: TempDir;
let origin: OriginServer;
let registry: TinyRegistry;
let swarm: Swarm;
const image = tinyImage([MIB, 3 * MIB, 1_000]);

beforeAll(async () => {
  temp = await tempDir();
  mkdirSync(join(temp.path, 'files'));
  const file = join(temp.path, 'files/big');
  writeRandomFile(file, 5 * MIB);
  origin = await startOriginServer({ '/big': file, '/small': file, '/secret': file });
  origin.refusals.set('/secret', 403);
  origin.silent.add('/silent');
  registry = await startTinyRegistry();
  registry.images.set('team/app:v1', image);
  registry.images.set('secret/app:v1', tinyImage([1_000, 2_000]));
  registry.locks.set('secret/app', 'me:secret');
  const allowed = [`127.0.0.1:${origin.port}`, registry.name].flatMap((name) => ['--allow-origin', name]);
  const docker = ['--docker-config', join(temp.path, 'hosts.json')];
  swarm = await startSwarm({ peers: 2, hostFlags: [...allowed, ...docker, '--label', 'disk=ssd'] });
});

afterAll(async () => {
  await swarm?.[Symbol.asyncDispose]();
  await origin?.[Symbol.asyncDispose]();
  await registry?.[Symbol.asyncDispose]();
  await temp?.[Symbol.asyncDispose]();
});

const preheat = (...args: string[]) =>
  startCommand([...SHOAL, 'preheat', ...args, '--nats', swarm.natsUrl], 60_000).done;

test('a URL is preheated on two hosts, whose clients then have it without the origin', async () => {
  const log = join(temp.path, 'events');
  const events = startChild([...SHOAL, 'events', 'preheat', '--json', '--nats', swarm.natsUrl], log);
  await until('events to be followed', () => readFileSync(log, 'utf8').includes('following') || undefined);
  const ids = await Promise.all(['peer1', 'peer2'].map(async (name) => (await swarm.status(name)).hostId));

  const ran = await preheat(
    origin.url('/big'),
    '--on',
    ids.map((id) => id.slice(0, 16)).join(','),
    '--wait',
    '--json',
  );
  expect(ran).toMatchObject({ code: 0 });
  const result = JSON.parse(ran.stdout);
  expect(result.items).toEqual([{ resource: origin.url('/big') }]);
  expect(result.hosts.map(({ hostId }: { hostId: string }) => hostId).sort()).toEqual([...ids].sort());
  for (const host of result.hosts)
    expect(host).toMatchObject({ state: 'done', done: 1, length: 5 * MIB, errors: [] });
  expect(origin.bodyBytes('/big')).toBeLessThanOrEqual(5 * MIB * 1.01);

  const told = await until('an event of each host', () => {
    const lines = readFileSync(log, 'utf8')
      .split('\n')
      .filter((line) => line.startsWith('{'));
    return lines.length === 2 ? lines.map((line) => JSON.parse(line)) : undefined;
  });
  for (const { data } of told) expect(data).toMatchObject({ jobId: result.jobId, items: 1, failed: 0 });
  events.signal('SIGINT');
  await events.ended;

  const before = origin.bodyBytes('/big');
  const got = await swarm.get('peer2', origin.url('/big')).done;
  expect(got.result).toMatchObject({ bytes: { origin: 0, local: 5 * MIB } });
  expect(origin.bodyBytes('/big') - before).toBeLessThanOrEqual(1.1 * MIB);
});

test('what a host may not read is its failure, with the reason, and the exit code says so', async () => {
  const ran = await preheat(origin.url('/secret'), origin.url('/small'), '--on', 'all', '--wait');
  expect(ran.code).toBe(1);
  expect(ran.stdout).toMatch(/^HOST +ROLE +STATE +ITEMS/);
  expect(ran.stdout.match(/failed +1\/2 .*1 of 2: .*\(ERR_SOURCE_REFUSED\)/g)).toHaveLength(3);
  expect(ran.stderr).toMatch(/^[0-9a-f]{32}: 1\/2 5 MiB of 5 MiB, .*, 1 failed$/m);
  expect(ran.stderr).toContain('error: 3 of 3 hosts failed (ERR_PREHEAT_FAILED)');
});

test('without --wait it ends once the seeds took it; hosts are chosen by label', async () => {
  const { hostId } = await swarm.status('seed');
  const taken = await preheat(origin.url('/big'));
  expect(taken).toMatchObject({ code: 0, stderr: '' });
  expect(taken.stdout.trim().split('\n')).toHaveLength(2);
  expect(taken.stdout).toMatch(new RegExp(`^${hostId} +seed +accepted +1 `, 'm'));
  const labelled = await preheat(
    origin.url('/big'),
    '--label',
    'disk=ssd',
    '--count',
    '2',
    '--wait',
    '--json',
  );
  expect(JSON.parse(labelled.stdout).hosts).toMatchObject([{ state: 'done' }, { state: 'done' }]);
  const none = await preheat(origin.url('/big'), '--label', 'disk=hdd');
  expect(none).toMatchObject({ code: 3, stdout: '', stderr: expect.stringContaining('ERR_HOST_NOT_FOUND') });
});

test('what takes longer than its --timeout is told as far as it came', async () => {
  const ran = await preheat(origin.url('/silent'), origin.url('/big'), '--wait', '--timeout', '6s', '--json');
  expect(ran).toMatchObject({ code: 124, stderr: expect.stringContaining('ERR_TIMEOUT') });
  expect(JSON.parse(ran.stdout).hosts).toMatchObject([{ state: 'unfinished', done: 1 }]);
});

test('an image is preheated on every host, and listed there', async () => {
  const name = `${registry.name}/team/app:v1`;
  const flags = ['--registry', `${registry.name}=${registry.url}`, '--platform', 'linux/amd64'];
  const ran = await preheat(name, ...flags, '--on', 'all', '--wait', '--json');
  expect(ran).toMatchObject({ code: 0 });
  const { items, hosts } = JSON.parse(ran.stdout);
  const { manifests, configs, layers, index } = image;
  const parts = [configs.amd64, ...layers.amd64];
  expect(items.map(({ digest }: { digest: string }) => digest)).toEqual([index, manifests.amd64, ...parts]);
  expect(hosts).toHaveLength(3);
  for (const host of hosts) expect(host).toMatchObject({ state: 'done', done: 6, failed: 0 });
  const blobBytes = parts.reduce((sum, digest) => sum + (image.contents.get(digest)?.bytes.length ?? 0), 0);
  expect(registry.blobBytes).toBeLessThanOrEqual(blobBytes * 1.01);

  const listed = await startCommand([...SHOAL, 'image', 'ls', '--dir', swarm.dirOf('peer1'), '--json']).done;
  const place = { registry: registry.name, repository: 'team/app' };
  expect(JSON.parse(listed.stdout)).toMatchObject([
    { ...place, digest: index, kind: 'index', parts: 2, partsHere: 1 },
    { ...place, digest: manifests.amd64, kind: 'image', platform: 'linux/amd64', parts: 4, partsHere: 4 },
  ]);
  const table = await startCommand([...SHOAL, 'image', 'ls', '--dir', swarm.dirOf('peer1')]).done;
  expect(table.stdout).toMatch(/team\/app .* linux\/amd64 +4(\.\d+)? MiB +4(\.\d+)? MiB +4\/4 /);
});

test('a private image is preheated by hosts with credentials of their own; those of the asker do not travel', async () => {
  const credentials = { auths: { [registry.name]: { auth: Buffer.from('me:secret').toString('base64') } } };
  const mine = join(temp.path, 'mine.json');
  writeFileSync(mine, JSON.stringify(credentials));
  const flags = ['--registry', `${registry.name}=${registry.url}`, '--docker-config', mine];
  const name = `${registry.name}/secret/app:v1`;
  const anonymous = await preheat(
    name,
    ...flags.slice(0, 2),
    '--docker-config',
    join(temp.path, 'none.json'),
  );
  expect(anonymous).toMatchObject({ code: 5, stdout: '' });

  const refused = await preheat(name, ...flags, '--wait', '--json');
  expect(refused.code).toBe(1);
  expect(JSON.parse(refused.stdout).hosts).toMatchObject([
    {
      state: 'failed',
      done: 0,
      errors: expect.arrayContaining([expect.objectContaining({ code: 'ERR_SOURCE_REFUSED' })]),
    },
  ]);
  writeFileSync(join(temp.path, 'hosts.json'), JSON.stringify(credentials));
  await until('the hosts to have their own', async () => {
    const ran = await preheat(name, ...flags, '--on', 'all', '--wait', '--json');
    return ran.code === 0 || undefined;
  });
  expect(swarm.logs(1_000)).not.toContain(credentials.auths[registry.name]?.auth);
});
