import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { expect, onTestFinished } from 'vitest';
import { CHART_VERSION, type Chart, makeChart } from '../../support/chart.ts';
import { MIB } from '../../support/files.ts';
import { buildImage, type Image, pushImage, TAG } from '../../support/image.ts';
import { flagsFor, type MirrorHost, startMirror } from '../../support/mirror-host.ts';
import { ALICE, ANYBODY, type Registry, type RegistryAuth, startRegistry } from '../../support/registry.ts';
import { basicLogin, type Login } from '../../support/registry-tokens.ts';
import { type Client, type ClientName, openClient } from './clients.ts';
import { APP, PUBLIC } from './scene.ts';

/** Alice's, at the default registry. */
export const THERE: Login = { user: ALICE.user, password: 'of the default registry' };
/** Of neither. */
export const WRONG: Login = { user: ALICE.user, password: 'of nobody' };

/** Two registries behind the mirror of one host. */
export interface Two {
  readonly dir: string;
  readonly image: Image;
  readonly chart: Chart;
  readonly named: Registry;
  readonly byDefault: Registry;
  readonly mirror: MirrorHost;
  client(name: ClientName): Promise<Client>;
}

/** What a client pulls of a repository, as it names that, and how many bytes its blobs have. */
export function wantedBy({ image, chart }: Two, name: ClientName, repository: string) {
  return name === 'helm'
    ? { reference: `${repository}:${CHART_VERSION}`, bytes: chart.bytes, digest: undefined }
    : { reference: `${repository}:${TAG}`, bytes: image.bytes, digest: image.manifest.digest };
}

/** Opens them for the running test: one that clients name, and one that is the default. */
export async function openTwo(auth: RegistryAuth, defaultAuth: RegistryAuth = 'token'): Promise<Two> {
  const dir = mkdtempSync(join(tmpdir(), 'shoal-logins-'));
  const image = await buildImage([2 * MIB, 1 * MIB]);
  const named = await startRegistry({ auth, users: [ALICE] });
  const byDefault = await startRegistry({ auth: defaultAuth, users: [THERE] });
  const chart = await makeChart(join(dir, 'chart'), basename(APP));
  for (const registry of [named, byDefault]) {
    registry.grant(ALICE.user, APP);
    registry.grant(ANYBODY, PUBLIC);
    await registry.loading(async (url) => {
      await pushImage(url, image, [APP, PUBLIC]);
      await chart.push(url, [APP, PUBLIC]);
    });
  }
  const of = [named, byDefault].map((registry) => flagsFor(registry));
  const mirror = await startMirror({
    'allow-origin': of.flatMap((flags) => flags['allow-origin']),
    registry: [...of.flatMap((flags) => flags.registry), `docker.io=${byDefault.url}`],
    'default-registry': 'docker.io',
    // What a registry says counts for this once.
    'access-memory': 0,
    'access-grace': 0,
  });
  const clients: Client[] = [];
  onTestFinished(async () => {
    for (const client of clients) await client[Symbol.asyncDispose]();
    await mirror[Symbol.asyncDispose]();
    for (const registry of [named, byDefault]) await registry[Symbol.asyncDispose]();
    rmSync(dir, { recursive: true, force: true });
  });
  return {
    dir,
    image,
    chart,
    named,
    byDefault,
    mirror,
    async client(name) {
      const client = await openClient(name, join(dir, String(clients.length)), named, mirror.port);
      clients.push(client);
      return client;
    },
  };
}

/** Every login that a registry or its token server was shown. */
export function shownTo({ front, tokens }: Registry): Login[] {
  const own = front.served.flatMap(({ authorization }) => basicLogin(authorization) ?? []);
  return [...own, ...(tokens?.shown ?? [])];
}

/** Expects a registry to have seen none of these passwords. */
export function expectUnseen(registry: Registry, ...passwords: readonly string[]): void {
  expect(shownTo(registry).filter(({ password }) => passwords.includes(password))).toEqual([]);
}

/** What was got past the mirror: clients go on with the registry where a mirror refuses. */
export const pastMirror = ({ front }: Registry) =>
  front.served.filter(
    ({ via, status, url }) => via === undefined && status < 300 && /\/(?:manifests|blobs)\//.test(url),
  );
