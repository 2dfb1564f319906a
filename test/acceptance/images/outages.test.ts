import { expect, test } from 'vitest';
import { until } from '../../support/child.ts';
import { MIB, storedBytes } from '../../support/files.ts';
import { TAG } from '../../support/image.ts';
import { ALICE, type RegistryAuth } from '../../support/registry.ts';
import type { Pulled } from './clients.ts';
import { type Answer, ask, authorizationOf } from './doors.ts';
import { APP, expectPulled, note, openScene, PUBLIC, type Scene } from './scene.ts';

/** Flags that make a pull last long enough to have a middle. */
const SLOW = ['--limit-down', '12MB', '--limit-up', '40MB'];
const TWO = ['peer1', 'peer2'] as const;

/** Asks the mirror of a host for each layer. */
function layersOf(
  scene: Scene,
  host: string,
  repository: string,
  headers: Readonly<Record<string, string>> = {},
): Promise<Answer[]> {
  const space = `?ns=${encodeURIComponent(scene.registry.name)}`;
  const port = scene.swarm.proxyPortOf(host);
  const asked = scene.image.layers.map(({ digest }) =>
    ask({ path: `/v2/${repository}/blobs/${digest}${space}`, port, headers, timeoutMs: 30_000 }),
  );
  return Promise.all(asked);
}

/** Lets the registry say of each layer, on both hosts, that these credentials may have it. */
async function prove(scene: Scene, repository: string, headers: Record<string, string>): Promise<void> {
  for (const host of TWO) {
    for (const { digest } of scene.image.layers) {
      const url = `${scene.mirrorOf(host)}/v2/${repository}/blobs/${digest}?ns=${scene.registry.name}`;
      expect((await fetch(url, { method: 'HEAD', headers })).status).toBe(200);
    }
  }
}

async function stopInMidPull(scene: Scene, repository: string): Promise<void> {
  const { image, registry, swarm } = scene;
  const clients = await Promise.all(TWO.map((host) => scene.client('containerd', host)));
  const headers = await authorizationOf(scene, ALICE, repository);
  await prove(scene, repository, headers);
  const pulls = clients.map((client) => client.pull(`${repository}:${TAG}`, ALICE));
  for (const host of TWO) {
    await until(
      `${host} to hold half`,
      () => storedBytes(swarm.dirOf(host)) >= image.bytes / 2 || undefined,
      60_000,
    );
  }
  await registry.front.stop();
  const sentBefore = scene.copies();
  for (const pulled of await Promise.all(pulls)) {
    expect(pulled.code, 'a pull of what nobody holds, without the registry').not.toBe(0);
    expect(pulled.stderr).not.toBe('');
  }
  const begun = performance.now();
  const answers = await Promise.all(TWO.map((host) => layersOf(scene, host, repository, headers)));
  note(`answers without the registry after ${Math.round(performance.now() - begun)} ms`);
  for (const [index, layer] of image.layers.entries()) {
    for (const [at, host] of TWO.entries()) {
      const answer = answers[at]?.[index];
      if (answer?.whole === true && answer.status === 200) expect(answer.digest).toBe(layer.digest);
      else expect(answer?.whole === false || answer?.status === 503, `${host}: ${answer?.text}`).toBe(true);
    }
  }
  const given = answers.flat().filter(({ whole, status }) => whole && status === 200).length;
  note(`${given} of ${answers.flat().length} layers came from the swarm alone`);
  expect(given, 'layers that the swarm held').toBeGreaterThan(0);
  expect(given, 'layers that nobody held').toBeLessThan(answers.flat().length);

  await registry.front.start();
  const resumed = new Map<string, Pulled>();
  const startedMs = performance.now();
  const again = clients.map((client) => client.pull(`${repository}:${TAG}`, ALICE));
  await until('the swarm to read the registry again', () => scene.copies() > sentBefore || undefined, 10_000);
  note(`the registry is read again ${Math.round(performance.now() - startedMs)} ms after it came back`);
  for (const [index, pulled] of (await Promise.all(again)).entries()) {
    resumed.set(`containerd on ${TWO[index]}`, pulled);
  }
  expectPulled(scene, resumed);
  const direct = registry.front.directBytes() / image.bytes;
  const bySwarm = scene.copies() - direct;
  note(
    `registry: ${sentBefore.toFixed(3)} copies before it stopped, ${bySwarm.toFixed(3)} to the swarm in all`,
  );
  note(`past the mirrors: ${direct.toFixed(3)} copies`);
  // What was under way as the registry stopped was sent in vain, and no more than that.
  expect(bySwarm + direct).toBeLessThanOrEqual(1.05);
}

for (const [auth, repository] of [
  ['none', PUBLIC],
  ['basic', APP],
  ['token', APP],
] as const satisfies readonly (readonly [RegistryAuth, string])[]) {
  test(`a registry (${auth}) that stops in mid-pull: what the swarm holds completes, the rest fails and resumes`, async () => {
    await stopInMidPull(await openScene({ auth, hostFlags: SLOW }), repository);
  });
}

test('with the registry gone, a host that holds a whole image gives it, and so does one that takes it from there', async () => {
  const scene = await openScene({ layers: [12 * MIB, 6 * MIB, 3 * MIB, 1 * MIB] });
  const first = await scene.client('containerd', 'peer1');
  expectPulled(scene, new Map([['containerd', await first.pull(`${PUBLIC}:${TAG}`)]]));
  await scene.registry.front.stop();
  for (const host of ['peer1', 'peer3']) {
    const answers = await layersOf(scene, host, PUBLIC);
    for (const [index, answer] of answers.entries()) {
      expect(answer, `layer ${index} from ${host}`).toMatchObject({
        status: 200,
        whole: true,
        digest: scene.image.layers[index]?.digest,
      });
    }
  }
});

for (const auth of ['none', 'token'] as const) {
  test(`a daemon killed in mid-pull: containerd goes on with the registry (${auth})`, async () => {
    const scene = await openScene({ auth, hostFlags: SLOW });
    const client = await scene.client('containerd', 'peer1');
    const pull = client.pull(`${APP}:${TAG}`, ALICE);
    await scene.swarm.holds('peer1', scene.image.bytes / 3);
    await scene.swarm.kill('peer1');
    expectPulled(scene, new Map([['containerd', await pull]]));
  });
}
