import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, onTestFinished } from 'vitest';
import { MIB } from '../../support/files.ts';
import { buildImage, type Image, pushImage, TAG } from '../../support/image.ts';
import {
  ALICE,
  ANYBODY,
  type Registry,
  type RegistryOptions,
  startRegistry,
} from '../../support/registry.ts';
import { type Swarm, startSwarm } from '../../support/swarm.ts';
import { type Client, type ClientName, openClient, type Pulled } from './clients.ts';

/** Repositories that hold the image; alice may read the first two, anybody the last. */
export const APP = 'team/app';
export const OTHER = 'other/name';
export const PUBLIC = 'open/app';

/** The hosts of every scene that clients pull through. */
export const HOSTS = ['peer1', 'peer2', 'peer3', 'peer4'] as const;

/** A registry with an image, and a swarm whose mirrors know it. */
export interface Scene {
  readonly dir: string;
  readonly image: Image;
  readonly registry: Registry;
  readonly swarm: Swarm;
  /** Base URL of a host's mirror. */
  mirrorOf(host: string): string;
  /** A client that pulls through a host. */
  client(name: ClientName, host: string): Promise<Client>;
  /** Body bytes of blobs that the registry sent, over those of the image. */
  copies(): number;
}

export interface SceneOptions extends RegistryOptions {
  readonly hostFlags?: readonly string[];
  /** Sizes of the layers, bytes; 210 MiB in six unless given. */
  readonly layers?: readonly number[];
}

/** Opens a scene of 1 seed and 4 peers for the running test; it is closed, and its logs printed on failure, by itself. */
export async function openScene(options: SceneOptions = {}): Promise<Scene> {
  const dir = mkdtempSync(join(tmpdir(), 'shoal-images-'));
  const image = await buildImage(options.layers);
  const registry = await startRegistry(options);
  for (const repository of [APP, OTHER]) registry.grant(ALICE.user, repository);
  registry.grant(ANYBODY, PUBLIC);
  await registry.loading((url) => pushImage(url, image, [APP, OTHER, PUBLIC]));
  mkdirSync(join(dir, 'clients'));
  const mirrorFlags = [
    ...['--allow-origin', registry.name],
    ...['--registry', `${registry.name}=${registry.url}`, '--registry', `docker.io=${registry.url}`],
    ...['--default-registry', 'docker.io', '--prefix-origin', registry.name],
  ];
  if (registry.tokens !== undefined) mirrorFlags.push('--allow-origin', new URL(registry.tokens.realm).host);
  const swarm = await startSwarm({
    peers: HOSTS.length,
    dir: join(dir, 'swarm'),
    hostFlags: [...mirrorFlags, ...(options.hostFlags ?? [])],
  });
  const clients: Client[] = [];
  onTestFinished(async ({ task }) => {
    if (task.result?.state === 'fail') console.error(swarm.logs());
    await Promise.all(clients.map((client) => client[Symbol.asyncDispose]()));
    await swarm[Symbol.asyncDispose]();
    await registry[Symbol.asyncDispose]();
    rmSync(dir, { recursive: true, force: true });
  });
  return {
    dir,
    image,
    registry,
    swarm,
    mirrorOf: (host) => `http://127.0.0.1:${swarm.proxyPortOf(host)}`,
    async client(name, host) {
      const at = join(dir, 'clients', `${host}-${clients.length}`);
      const client = await openClient(name, at, registry, swarm.proxyPortOf(host));
      clients.push(client);
      return client;
    },
    copies: () => registry.front.blobBytes() / image.bytes,
  };
}

/** Expects pulls to have succeeded with the image's own digest, and prints their figures. */
export function expectPulled(scene: Scene, pulls: ReadonlyMap<string, Pulled>): void {
  for (const [who, pulled] of pulls) {
    expect(pulled, `pull of ${who}: ${pulled.stderr.slice(-2_000)}`).toMatchObject({
      code: 0,
      digest: scene.image.manifest.digest,
    });
    note(`${who}: ${(pulled.wallMs / 1000).toFixed(2)} s`);
  }
  note(`registry: ${scene.copies().toFixed(4)} copies of ${(scene.image.bytes / MIB).toFixed(0)} MiB`);
}

/** Pulls an image by each of these clients at once. */
export async function pullAll(
  clients: ReadonlyMap<string, Client>,
  image = `${APP}:${TAG}`,
): Promise<Map<string, Pulled>> {
  const pulls = [...clients].map(async ([who, client]) => [who, await client.pull(image, ALICE)] as const);
  return new Map(await Promise.all(pulls));
}

/** Prints a measured figure. */
export function note(text: string): void {
  console.log(`  ${text}`);
}
