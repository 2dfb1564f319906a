import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { type MadeCa, makeCa } from '../../../proxy/forward/make-ca.ts';
import { issue } from '../../support/certificates.ts';
import { run, SHOAL } from '../../support/child.ts';
import { type Docker, startDocker } from '../../support/docker.ts';
import { MIB } from '../../support/files.ts';
import { buildImage, type Image, pushImage, TAG } from '../../support/image.ts';
import { type OwnMachine, startOwnMachine } from '../../support/own-machine.ts';
import { ALICE, BOB, type Registry, type RegistryAuth, startRegistry } from '../../support/registry.ts';
import { startSwarm } from '../../support/swarm.ts';
import { APP, note } from './scene.ts';

const HOST = 'registry.test';
const HOSTS = 4;

interface ProxyScene {
  readonly image: Image;
  readonly registry: Registry;
  /** As images name the registry. */
  readonly name: string;
  readonly dockers: readonly Docker[];
}

/** Docker engines that fetch everything by HTTPS through the proxies of four hosts, whose CA they trust. */
async function openProxyScene(auth: RegistryAuth): Promise<ProxyScene> {
  // Go takes no proxy to a loopback name, so the registry has another one, on a machine whose /etc/hosts knows it.
  const machine: OwnMachine = await startOwnMachine({ hosts: `127.0.0.1 ${HOST}\n`, sharedNetwork: true });
  const { dir } = machine;
  const registryCa = await makeCa(join(dir, 'registry-ca'), { name: 'registry', days: 2 });
  const proxyCa: MadeCa = JSON.parse(
    await run([...SHOAL, 'proxy', 'ca', '--out', join(dir, 'proxy-ca'), '--json']),
  );
  const image = await buildImage([12 * MIB, 6 * MIB, 3 * MIB, 1 * MIB]);
  const registry = await startRegistry({ auth, tls: await issue(dir, registryCa, HOST) });
  registry.grant(ALICE.user, APP);
  await registry.loading((url) => pushImage(url, image, [APP]));
  const name = `${HOST}:${registry.port}`;
  const allowed = [name, ...(registry.tokens === undefined ? [] : [new URL(registry.tokens.realm).host])];
  const swarm = await startSwarm({
    peers: HOSTS,
    dir: join(dir, 'swarm'),
    inside: () => [...machine.inside, 'env', `NODE_EXTRA_CA_CERTS=${registryCa.certFile}`],
    hostFlags: [
      ...allowed.flatMap((origin) => ['--allow-origin', origin]),
      ...['--connect-port', String(registry.port)],
      ...['--proxy-ca-cert', proxyCa.certFile, '--proxy-ca-key', proxyCa.keyFile],
    ],
  });
  const dockers: Docker[] = [];
  onTestFinished(async ({ task }) => {
    if (task.result?.state === 'fail') console.error(swarm.logs());
    await Promise.all(dockers.map((docker) => docker[Symbol.asyncDispose]()));
    await swarm[Symbol.asyncDispose]();
    await registry[Symbol.asyncDispose]();
    await machine[Symbol.asyncDispose]();
  });
  const trusted = [registryCa, proxyCa].map(({ certFile }) => readFileSync(certFile, 'utf8'));
  writeFileSync(join(dir, 'trusted.crt'), trusted.join(''));
  for (const host of swarm.hosts.filter((one) => one !== 'seed')) {
    const at = join(dir, `docker-${host}`);
    mkdirSync(at);
    const env = {
      HTTPS_PROXY: `http://127.0.0.1:${swarm.proxyPortOf(host)}`,
      SSL_CERT_FILE: join(dir, 'trusted.crt'),
    };
    dockers.push(await startDocker({ dir: at, env, inside: machine.inside }));
  }
  return { image, registry, name, dockers };
}

for (const auth of ['none', 'basic', 'token'] as const) {
  test(`Docker engines behind the proxies of four hosts take one copy from an HTTPS registry (${auth})`, async () => {
    const { image, registry, name, dockers } = await openProxyScene(auth);
    const wanted = { registry: name, image: `${APP}:${TAG}` };
    const pulls = await Promise.all(dockers.map((docker) => docker.pull({ ...wanted, login: ALICE })));
    for (const [index, pulled] of pulls.entries()) {
      expect(pulled, `docker on host ${index + 1}`).toMatchObject({
        code: 0,
        digest: image.manifest.digest,
      });
    }
    const copies = registry.front.blobBytes() / image.bytes;
    note(`registry: ${copies.toFixed(4)} copies`);
    expect(copies).toBeLessThanOrEqual(1.01);
    if (auth === 'none') return;
    for (const login of [undefined, { ...ALICE, password: 'not hers' }, ...(auth === 'token' ? [BOB] : [])]) {
      await dockers[1]?.clear();
      const refused = await dockers[1]?.pull({ ...wanted, ...(login === undefined ? {} : { login }) });
      expect(refused?.code, `as ${login?.user ?? 'nobody'}`).not.toBe(0);
    }
  });
}
