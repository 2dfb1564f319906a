import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { segmentOfRegistry } from '../../core/registry-names.ts';
import { type Ran, run, startCommand } from './child.ts';
import type { PullOptions } from './containerd.ts';
import type { Login } from './registry-tokens.ts';

/** The registries.conf of skopeo and podman: a registry spoken to in plain HTTP, behind a mirror where one is given. */
export function registriesConf(registry: string, mirror: string | undefined): string {
  const lines = [
    'unqualified-search-registries = []',
    '[[registry]]',
    `prefix = "${registry}"`,
    `location = "${registry}"`,
    'insecure = true',
  ];
  // These clients ask a mirror for /v2/<location>/<name>; the registry's own name becomes the first part of it.
  if (mirror !== undefined)
    lines.push(
      '[[registry.mirror]]',
      `location = "${mirror}/${segmentOfRegistry(registry)}"`,
      'insecure = true',
    );
  return `${lines.join('\n')}\n`;
}

/** An auth.json with a login for each of these hosts. */
export function authJson(hosts: readonly string[], { user, password }: Login) {
  const auth = Buffer.from(`${user}:${password}`).toString('base64');
  return JSON.stringify({ auths: Object.fromEntries(hosts.map((host) => [host, { auth }])) });
}

/** Logs in to a mirror under the name of a registry, as the guides say, and nowhere else. @throws Error where it is refused */
export async function loginAtMirror(
  command: readonly string[],
  authFile: string,
  at: { readonly mirrorHost: string; readonly registry: string; readonly login: Login },
): Promise<void> {
  const { user, password } = at.login;
  const place = `${at.mirrorHost}/${segmentOfRegistry(at.registry)}`;
  const flags = ['--authfile', authFile, '--tls-verify=false', '-u', user, '-p', password];
  await run([...command, 'login', ...flags, place]);
}

/** skopeo with its own configuration and target folder. */
export interface Skopeo {
  /** `host:port` of the mirror; undefined goes straight. */
  mirror(registry: string, mirror: string | undefined): void;
  /** Copies an image to a folder; its manifest's digest is in `digest` where it succeeded. */
  pull(options: PullOptions): Promise<Ran & { readonly digest: string | undefined }>;
  clear(): void;
}

/** Sets skopeo up below `dir`. */
export function setUpSkopeo(dir: string, inside: readonly string[] = []): Skopeo {
  mkdirSync(dir, { recursive: true });
  const conf = join(dir, 'registries.conf');
  const auth = join(dir, 'auth.json');
  const target = join(dir, 'layout');
  let mirrorHost: string | undefined;
  return {
    mirror(registry, mirror) {
      mirrorHost = mirror;
      writeFileSync(conf, registriesConf(registry, mirror));
    },
    async pull({ registry, image, login }) {
      rmSync(target, { recursive: true, force: true });
      writeFileSync(
        auth,
        login === undefined || mirrorHost !== undefined ? '{}' : authJson([registry], login),
      );
      if (login !== undefined && mirrorHost !== undefined)
        await loginAtMirror([...inside, 'skopeo'], auth, { mirrorHost, registry, login });
      const flags = ['--registries-conf', conf, '--insecure-policy'];
      const from = `docker://${registry}/${image}`;
      const copy = ['skopeo', ...flags, 'copy', '--src-authfile', auth, '--preserve-digests', '-q'];
      const ran = await startCommand([...inside, ...copy, from, `oci:${target}:got`]).done;
      return { ...ran, digest: ran.code === 0 ? digestIn(target) : undefined };
    },
    clear: () => rmSync(target, { recursive: true, force: true }),
  };
}

/** The digest of the one image of an OCI layout. */
export function digestIn(layout: string): string | undefined {
  const index = JSON.parse(readFileSync(join(layout, 'index.json'), 'utf8')) as {
    manifests: { digest: string }[];
  };
  return index.manifests[0]?.digest;
}
