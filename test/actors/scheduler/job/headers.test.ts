import { createHash } from 'node:crypto';
import { expect, test } from 'vitest';
import { jobsClient } from '../../../../actors/jobs/client.ts';
import { type JobScene, jobScene, MIB, preheat, URL_A } from './scene.ts';

const SECRET = 'Bearer a-secret';

const digestOf = (bytes: Uint8Array) => `sha256:${createHash('sha256').update(bytes).digest('hex')}`;

/** A private image at the simulated origin, which lets in who shows the secret. */
function privateImage({ sim, content }: JobScene): { readonly image: string; readonly length: number } {
  const layer = content.bytes;
  const config = new TextEncoder().encode('{"os":"linux","architecture":"amd64"}');
  const part = (bytes: Uint8Array) => ({ mediaType: 'x', digest: digestOf(bytes), size: bytes.length });
  const manifest = new TextEncoder().encode(JSON.stringify({ config: part(config), layers: [part(layer)] }));
  const base = 'https://registry.test/v2/team/app';
  const urls = new Map([
    [`${base}/manifests/${digestOf(manifest)}`, manifest],
    [`${base}/blobs/${digestOf(config)}`, config],
    [`${base}/blobs/${digestOf(layer)}`, layer],
  ]);
  for (const [url, bytes] of urls) sim.publish(url, 0, { bytes, authorization: SECRET });
  sim.registry = async ({ authorization }) => {
    const isLetIn = authorization === SECRET;
    return {
      status: isLetIn ? 200 : 401,
      headers: {},
      body: isLetIn ? manifest : new Uint8Array(),
      as: 'client',
    };
  };
  return { image: 'registry.test/team/app:v1', length: layer.length + config.length + manifest.length };
}

test('headers go to the one host that reads; the others take it from there, and nothing else has them', async () => {
  const scene = await jobScene();
  const { sim, jobs, settled, ended, hosts } = scene;
  const { image, length } = privateImage(scene);
  const asked = preheat({ what: [image] });
  const { job } = await settled(jobs.create(asked, { headers: { authorization: SECRET } }));
  expect(job.request.headersKeptBy).toBe('cli-jobs');
  const over = await ended(job.id);
  const rows = await hosts(job.id);
  expect(over, JSON.stringify(rows)).toMatchObject({
    state: 'succeeded',
    progress: { hosts: 4, succeeded: 4 },
  });
  expect(sim.origin.bodyBytes).toBe(length);
  const readers = rows.filter(({ bytes }) => bytes.origin > 0).map(({ hostId }) => hostId);
  expect(readers).toEqual([sim.hosts[0]?.hostId]);
  const bus = sim.place.hub.bus('looking');
  const kept = await settled(
    Promise.all((['jobs', 'job-hosts'] as const).map((bucket) => bus.directory(bucket).entries())),
  );
  const text = kept.flat().map(({ value }) => new TextDecoder().decode(value));
  expect(text.length).toBeGreaterThan(1);
  expect(text.join('') + sim.history()).not.toContain('a-secret');
  // A job without them does not profit from it: a client of another host is not let in.
  const get = sim.hosts[3]?.get({
    resource: `https://registry.test/v2/team/app/blobs/${digestOf(scene.content.bytes)}`,
    digest: digestOf(scene.content.bytes),
  });
  await sim.run(30_000, () => get?.state !== 'running');
  expect(get).toMatchObject({ state: 'failed' });
});

test('where whoever kept the headers is gone, the job fails and says so', async () => {
  const { sim, settled, ended } = await jobScene();
  sim.publish(URL_A, MIB, { authorization: SECRET });
  const bus = sim.place.hub.bus('cli-short');
  const jobs = jobsClient({ bus, clock: sim.clock, random: sim.random.fork('short'), isPrivate: true });
  sim.scheduler.freeze(true);
  const asked = jobs.create(preheat(), { headers: { authorization: SECRET }, idempotencyKey: 'k' });
  await sim.run(100);
  sim.scheduler.freeze(false);
  const { job } = await settled(asked);
  await bus.close();
  expect(await ended(job.id)).toMatchObject({ state: 'failed', error: { code: 'ERR_JOB_HEADERS_LOST' } });
});

test('headers are not taken where somebody could listen', async () => {
  const { sim } = await jobScene({ hosts: 1 });
  const bus = sim.place.hub.bus('cli-open');
  const jobs = jobsClient({ bus, clock: sim.clock, random: sim.random.fork('open') });
  await expect(jobs.create(preheat(), { headers: { authorization: SECRET } })).rejects.toMatchObject({
    code: 'ERR_CONFIG_INVALID',
  });
});
