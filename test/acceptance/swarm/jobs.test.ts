import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { openLog } from '../../../app/logging.ts';
import { connectSwarm } from '../../../app/swarm-client.ts';
import { type JobHost, type JobRecord, type JobRequest, jobRequestSchema } from '../../../core/jobs.ts';
import { SUBJECTS } from '../../../transport/subjects.ts';
import { HarborClient } from '../../gateway/harbor-client.ts';
import { SHOAL, startChild, startCommand, until } from '../../support/child.ts';
import { MIB } from '../../support/files.ts';
import { freePort } from '../../support/free-port.ts';
import { TAG } from '../../support/image.ts';
import { lastJson, type Swarm } from '../../support/swarm.ts';
import { expectPulled, HOSTS, openScene as openImageScene, PUBLIC, pullAll } from '../images/scene.ts';
import { note, openScene, SIZE, SLOW } from './scene.ts';

interface Told {
  readonly job: JobRecord;
  readonly hosts: readonly JobHost[];
}

/** Runs a command against the swarm's NATS. */
async function shoal(swarm: Swarm, ...args: string[]): Promise<Told> {
  const ran = await startCommand([...SHOAL, ...args, '--nats', swarm.natsUrl, '--json'], 120_000).done;
  expect(ran, `shoal ${args.join(' ')}`).toMatchObject({ code: 0 });
  return lastJson(ran.stdout) as Told;
}

const shown = (swarm: Swarm, id: string) => shoal(swarm, 'job', 'show', id);

/** Asks for a job as automation does that has NATS alone. */
async function byNats(swarm: Swarm, request: JobRequest, idempotencyKey: string): Promise<JobRecord> {
  const logger = openLog({ level: 'error', format: 'plain' });
  const nats = { servers: [swarm.natsUrl], login: {} };
  await using client = await connectSwarm('shoal', nats, logger);
  const { bus } = client;
  const message = { request, idempotencyKey };
  const { job } = await bus.request(SUBJECTS.jobCreate, { sender: bus.name }, message, { timeoutMs: 8_000 });
  return job;
}

test('an image of 200 MiB is preheated on four hosts, by command, by NATS, over HTTP and as Harbor does: one copy, a row a host, and pulls read nothing', async () => {
  const scene = await openImageScene();
  const { swarm, registry } = scene;
  const image = `${registry.name}/${PUBLIC}:${TAG}`;
  const ids = await Promise.all(HOSTS.map(async (host) => (await swarm.status(host)).hostId));
  const check = ({ job, hosts }: Told, way: string) => {
    expect(job).toMatchObject({ state: 'succeeded', progress: { hosts: 4, succeeded: 4, failed: 0 } });
    expect(hosts.map(({ hostId }) => hostId).sort()).toEqual([...ids].sort());
    for (const host of hosts)
      expect(host).toMatchObject({ state: 'succeeded', done: host.items, failures: [] });
    note(`${way}: ${scene.copies().toFixed(4)} copies, ${job.progress.length / 4 / MIB} MiB a host`);
    expect(scene.copies()).toBeLessThanOrEqual(1.005);
  };
  const pull = async () => {
    registry.front.reset();
    const client = await scene.client('skopeo', 'peer4');
    expectPulled(scene, await pullAll(new Map([['skopeo on peer4', client]]), `${PUBLIC}:${TAG}`));
    expect(registry.front.blobBytes(), 'body bytes of blobs of a pull').toBe(0);
  };

  registry.front.reset();
  check(await shoal(swarm, 'preheat', image, '--on', ids.join(','), '--wait'), 'by command');
  await pull();

  const evict = async () => {
    const evicted = await shoal(swarm, 'evict', image, '--on', 'all', '--wait');
    expect(evicted.job.progress).toMatchObject({ succeeded: 5, failed: 0 });
    registry.front.reset();
  };
  await evict();
  const request = jobRequestSchema.parse({ kind: 'preheat', what: [image], targets: { names: ids } });
  const job = await byNats(swarm, request, 'a key');
  expect((await byNats(swarm, request, 'a key')).id).toBe(job.id);
  await until('the job to end', async () => (await shown(swarm, job.id)).job.endedAtMs, 120_000);
  check(await shown(swarm, job.id), 'by NATS');
  await pull();

  const port = await freePort('127.0.0.1');
  const flags = ['--nats', swarm.natsUrl, '--gateway-port', String(port), '--admin-port', '0'];
  const named = ['--registry', `${registry.name}=${registry.url}`];
  const gateway = startChild([...SHOAL, 'gateway', ...flags, ...named], join(swarm.dir, 'logs/gateway.log'));
  onTestFinished(() => gateway.stop());
  const url = `http://127.0.0.1:${port}`;
  await until('the gateway', async () => (await fetch(`${url}/healthy`).catch(() => undefined))?.ok);
  const made = ['token', 'create', 'test', '--scope', 'jobs', '--json', '--nats', swarm.natsUrl];
  const { token } = JSON.parse((await startCommand([...SHOAL, ...made]).done).stdout);

  await evict();
  const headers = { authorization: `Bearer ${token}`, 'content-type': 'application/json' };
  const asked = await fetch(`${url}/api/v1/jobs`, { method: 'POST', headers, body: JSON.stringify(request) });
  const { job: posted } = JSON.parse(await asked.text());
  await until('the job to end', async () => (await shown(swarm, posted.id)).job.endedAtMs, 120_000);
  check(await shown(swarm, posted.id), 'over HTTP');
  await pull();

  await evict();
  const harbor = new HarborClient(url, { mode: 'OAUTH', token });
  await harbor.health();
  const manifest = `http://${registry.name}/v2/${PUBLIC}/manifests/${TAG}`;
  const { id } = await harbor.preheat({ url: manifest, headers: {}, scope: 'all_peers' });
  const told = await until(
    'the job of Harbor',
    async () => {
      const now = await harbor.progress(id);
      return now.state === 'PENDING' ? undefined : now;
    },
    120_000,
  );
  expect(told.state).toBe('SUCCESS');
  expect(told.result.job_states[0]?.results[0]?.success_tasks).toHaveLength(5);
  note(`as Harbor does, to the seed too: ${scene.copies().toFixed(4)} copies`);
  expect(scene.copies()).toBeLessThanOrEqual(1.005);
  await pull();
});

test('a job whose scheduler and whose NATS are killed ends once, with a row for each host', async () => {
  const scene = await openScene({ schedulers: 2, hostFlags: SLOW });
  const { swarm, url } = scene;
  const { job } = await shoal(swarm, 'preheat', url, '--on', 'all');
  const isUnderWay = async () => (await shown(swarm, job.id)).job.progress.doneBytes > 16 * MIB || undefined;
  await until('the job to be under way', isUnderWay, 60_000);
  await swarm.kill('scheduler');
  await until('another to go on', isUnderWay, 60_000);
  swarm.start('scheduler');
  await swarm.kill('scheduler2');
  swarm.start('scheduler2');
  await swarm.kill('nats');
  swarm.start('nats');
  const { code } = await startCommand(
    [...SHOAL, 'job', 'watch', job.id, '--timeout', '3m', '--nats', swarm.natsUrl],
    200_000,
  ).done;
  const { job: over, hosts } = await shown(swarm, job.id);
  note(`attempts ${over.attempt}, ${scene.copies().toFixed(3)} copies, watch ended with ${code}`);
  expect(over).toMatchObject({ state: 'succeeded', progress: { hosts: 5, succeeded: 5, failed: 0 } });
  for (const host of hosts) expect(host).toMatchObject({ state: 'succeeded', done: 1, doneBytes: SIZE });
});

test('a pin of two has its second copy back when a host is gone for good; a schedule of two schedulers fires once', async () => {
  const { swarm, url } = await openScene({ schedulers: 2 });
  const { job: schedule } = await shoal(swarm, 'preheat', url, '--cron', '* * * * *');
  const { job: pin, hosts } = await shoal(swarm, 'pin', url, '--copies', '2', '--wait');
  expect(hosts.map(({ state }) => state)).toEqual(['pinned', 'pinned']);
  const names = new Map<string, string>();
  for (const host of swarm.hosts) names.set((await swarm.status(host)).hostId, host);
  const [gone] = hosts;
  await swarm.kill(names.get(gone?.hostId ?? '') ?? '');
  const killedMs = performance.now();
  const repaired = await until(
    'another copy',
    async () => {
      const now = await shown(swarm, pin.id);
      const pinned = now.hosts.filter(({ state, hostId }) => state === 'pinned' && hostId !== gone?.hostId);
      return pinned.length === 2 ? now : undefined;
    },
    90_000,
  );
  note(`a second copy ${((performance.now() - killedMs) / 1000).toFixed(1)} s after the kill`);
  expect(repaired.hosts.find(({ hostId }) => hostId === gone?.hostId)?.state).toBe('lost');

  const fired = await until(
    'the schedule to fire',
    async () => {
      const told = await shoal(swarm, 'job', 'ls', '--schedule', schedule.id);
      const rows = told as unknown as JobRecord[];
      return rows.length > 0 ? rows : undefined;
    },
    90_000,
  );
  const now = await shown(swarm, schedule.id);
  expect(now.job.schedule?.fired).toBe(fired.length);
  const minutes = fired.map(({ createdAtMs }) => Math.floor(createdAtMs / 60_000));
  expect(new Set(minutes).size).toBe(fired.length);
});
