import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { hostname } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { shownId } from '../../core/short-id.ts';
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
  const plain = ['--registry', `${registry.name}=${registry.url}`];
  swarm = await startSwarm({ peers: 2, hostFlags: [...allowed, ...plain, ...docker, '--label', 'disk=ssd'] });
});

afterAll(async () => {
  await swarm?.[Symbol.asyncDispose]();
  await origin?.[Symbol.asyncDispose]();
  await registry?.[Symbol.asyncDispose]();
  await temp?.[Symbol.asyncDispose]();
});

const command = (...args: string[]) =>
  startCommand([...SHOAL, ...args, '--nats', swarm.natsUrl], 60_000).done;
const preheat = (...args: string[]) => command('preheat', ...args);
const job = (...args: string[]) => command('job', ...args);

test('a URL is preheated on two hosts, whose clients then have it without the origin', async () => {
  const log = join(temp.path, 'events');
  const events = startChild([...SHOAL, 'events', 'preheat', '--json', '--nats', swarm.natsUrl], log);
  await until('events to be followed', () => readFileSync(log, 'utf8').includes('following') || undefined);
  const ids = await Promise.all(['peer1', 'peer2'].map(async (name) => (await swarm.status(name)).hostId));

  const on = ids.map((id) => id.slice(0, 16)).join(',');
  const ran = await preheat(origin.url('/big'), '--on', on, '--wait', '--json');
  expect(ran).toMatchObject({ code: 0 });
  const { job, hosts } = JSON.parse(ran.stdout);
  expect(job).toMatchObject({ state: 'succeeded', items: 1, resolved: [origin.url('/big')] });
  expect(hosts.map(({ hostId }: { hostId: string }) => hostId).sort()).toEqual([...ids].sort());
  for (const host of hosts)
    expect(host).toMatchObject({
      state: 'succeeded',
      done: 1,
      length: 5 * MIB,
      failures: [],
      name: hostname(),
    });
  expect(origin.bodyBytes('/big')).toBeLessThanOrEqual(5 * MIB * 1.01);

  const told = await until('an event of each host', () => {
    const lines = readFileSync(log, 'utf8')
      .split('\n')
      .filter((line) => line.startsWith('{'));
    return lines.length === 2 ? lines.map((line) => JSON.parse(line)) : undefined;
  });
  for (const { data } of told) expect(data).toMatchObject({ jobId: job.id, items: 1, failed: 0 });
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
  expect(ran.stdout).toMatch(/^HOST +NAME +STATE +ITEMS/m);
  expect(ran.stdout.match(/ failed +1\/2 /g)).toHaveLength(3);
  // Below the table, in lines of their own.
  const reasons = ran.stdout
    .replace(/\n {2}/g, ' ')
    .match(/^[0-9a-f]{12}: 1 of 2: .*\(ERR_SOURCE_REFUSED\)/gm);
  expect(reasons).toHaveLength(3);
  expect(ran.stderr).toContain('error: 3 of 3 hosts failed (ERR_JOB_FAILED)');
});

test('without --wait it ends once the job was accepted, which is listed, shown and watched', async () => {
  const { hostId } = await swarm.status('seed');
  const taken = await preheat(origin.url('/big'), '--key', 'once');
  expect(taken).toMatchObject({ code: 0, stderr: '' });
  const [, id = ''] = /^job ([0-9a-f]{32}) accepted$/m.exec(taken.stdout) ?? [];
  const again = await preheat(origin.url('/big'), '--key', 'once', '--json');
  expect(JSON.parse(again.stdout).job.id).toBe(id);
  const watched = await job('watch', id.slice(0, 8), '--json');
  expect(watched).toMatchObject({ code: 0 });
  expect(JSON.parse(watched.stdout)).toMatchObject({ job: { id, state: 'succeeded' }, hosts: [{ hostId }] });
  const shown = await job('show', id);
  expect(shown.stdout).toMatch(/^state: +succeeded$/m);
  expect(shown.stdout).toMatch(new RegExp(`^${shownId(hostId)} .* succeeded +1/1 `, 'm'));
  const listed = await job('ls', '--state', 'succeeded', '--limit', '1', '--json');
  expect(JSON.parse(listed.stdout)).toMatchObject([{ id }]);
  expect((await job('ls')).stdout).toMatch(new RegExp(`^${shownId(id)} +preheat +succeeded +1/1 `, 'm'));
  expect(await job('show', 'ffff')).toMatchObject({
    stdout: '',
    stderr: expect.stringContaining('ERR_JOB_NOT_FOUND'),
  });
});

test('hosts are chosen by label', async () => {
  const flags = ['--label', 'disk=ssd', '--count', '2', '--wait', '--json'];
  const labelled = await preheat(origin.url('/big'), ...flags);
  expect(JSON.parse(labelled.stdout).hosts).toMatchObject([{ state: 'succeeded' }, { state: 'succeeded' }]);
  const none = await preheat(origin.url('/big'), '--label', 'disk=hdd', '--wait');
  expect(none).toMatchObject({ code: 1, stderr: expect.stringContaining('ERR_HOST_NOT_FOUND') });
});

test('what takes longer than its --timeout is told as far as it came, goes on, and can be cancelled', async () => {
  const ran = await preheat(origin.url('/silent'), origin.url('/big'), '--wait', '--timeout', '6s', '--json');
  expect(ran).toMatchObject({ code: 124, stderr: expect.stringContaining('ERR_TIMEOUT') });
  const told = JSON.parse(ran.stdout);
  expect(told).toMatchObject({ job: { state: 'running' }, hosts: [{ state: 'running', done: 1 }] });
  const cancelled = await job('cancel', told.job.id);
  expect(cancelled).toMatchObject({ code: 0, stdout: `job ${told.job.id} cancelled\n` });
  const shown = JSON.parse((await job('show', told.job.id, '--json')).stdout);
  expect(shown).toMatchObject({ job: { state: 'cancelled' }, hosts: [{ state: 'cancelled' }] });
});

test('a pin keeps what an evict would take, until it is cancelled', async () => {
  const pinned = await command('pin', origin.url('/small'), '--copies', '2', '--wait', '--json');
  expect(pinned).toMatchObject({ code: 0 });
  const { job: pin, hosts } = JSON.parse(pinned.stdout);
  expect(hosts).toMatchObject([{ state: 'pinned' }, { state: 'pinned' }]);
  const evict = () => command('evict', origin.url('/small'), '--on', 'all', '--wait', '--json');
  const refused = await evict();
  expect(refused).toMatchObject({ code: 1, stderr: expect.stringContaining('2 of 3 hosts failed') });
  await job('cancel', pin.id);
  const evicted = await evict();
  expect(evicted).toMatchObject({ code: 0 });
  expect(JSON.parse(evicted.stdout).job.progress).toMatchObject({ succeeded: 3, doneBytes: 10 * MIB });
});

test('an image is preheated on every host, and listed there', async () => {
  const name = `${registry.name}/team/app:v1`;
  const ran = await preheat(name, '--platform', 'linux/amd64', '--on', 'all', '--wait', '--json');
  expect(ran).toMatchObject({ code: 0 });
  const { job: done, hosts } = JSON.parse(ran.stdout);
  const { manifests, configs, layers, index } = image;
  const parts = [configs.amd64, ...layers.amd64];
  expect(done).toMatchObject({ items: 6, resolved: [`${name}@${index}`] });
  expect(hosts).toHaveLength(3);
  for (const host of hosts) expect(host).toMatchObject({ state: 'succeeded', done: 6, failed: 0 });
  const blobBytes = parts.reduce((sum, digest) => sum + (image.contents.get(digest)?.bytes.length ?? 0), 0);
  expect(registry.blobBytes).toBeLessThanOrEqual(blobBytes * 1.01);

  const listed = await startCommand([...SHOAL, 'image', 'ls', '--dir', swarm.dirOf('peer1'), '--json']).done;
  const place = { registry: registry.name, repository: 'team/app' };
  expect(JSON.parse(listed.stdout)).toMatchObject([
    { ...place, digest: index, kind: 'index', parts: 2, partsHere: 1 },
    { ...place, digest: manifests.amd64, kind: 'image', platform: 'linux/amd64', parts: 4, partsHere: 4 },
  ]);
  const table = await startCommand([...SHOAL, 'image', 'ls', '--dir', swarm.dirOf('peer1')]).done;
  expect(table.stdout).toMatch(/team\/app .* linux\/amd64 +4(\.\d+)? MiB +4(\.\d+)? MiB +4\/4$/m);
});

test('a private image is preheated by hosts with credentials of their own', async () => {
  const credentials = { auths: { [registry.name]: { auth: Buffer.from('me:secret').toString('base64') } } };
  const name = `${registry.name}/secret/app:v1`;
  const refused = await preheat(name, '--wait', '--json');
  expect(refused.code).toBe(1);
  expect(JSON.parse(refused.stdout)).toMatchObject({
    job: { state: 'failed', error: { code: 'ERR_SOURCE_REFUSED' } },
    hosts: [],
  });
  writeFileSync(join(temp.path, 'hosts.json'), JSON.stringify(credentials));
  await until('the hosts to have their own', async () => {
    const ran = await preheat(name, '--on', 'all', '--wait', '--json');
    return ran.code === 0 || undefined;
  });
  expect(swarm.logs(1_000)).not.toContain(credentials.auths[registry.name]?.auth);
});
