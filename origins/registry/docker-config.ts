import { z } from 'zod';
import { DOCKER_HUB, DOCKER_HUB_KEY, isDockerHub } from '../../core/docker-hub.ts';
import { ShoalError } from '../../core/errors.ts';
import type { RegistryTarget } from './target.ts';

/** Who a registry is told that we are. */
export type Credential =
  | { readonly kind: 'login'; readonly user: string; readonly password: string }
  /** To be given to the token server in place of a password. */
  | { readonly kind: 'identity'; readonly user: string; readonly token: string }
  /** To be given to the registry as it is. */
  | { readonly kind: 'bearer'; readonly token: string };

/** Where the credential for a registry is: in the file, or with a helper. */
export type FoundCredential =
  | { readonly kind: 'here'; readonly credential: Credential }
  | { readonly kind: 'helper'; readonly helper: string; readonly serverUrl: string };

/** A key of the file: a registry, or one of its namespaces as Podman writes it. */
interface Key {
  readonly text: string;
  readonly host: string;
  readonly namespace: string;
  /** Says itself that the registry is spoken to in plain HTTP. */
  readonly plain: boolean;
}

/** What Docker's config.json says of credentials. */
export interface DockerConfig {
  readonly auths: readonly (readonly [Key, Credential])[];
  readonly helpers: readonly (readonly [Key, string])[];
  readonly store: string | undefined;
}

const secret = z.string().max(64 * 1024);
const entry = z.object({
  auth: secret.optional(),
  username: secret.optional(),
  password: secret.optional(),
  identitytoken: secret.optional(),
  registrytoken: secret.optional(),
});
// The name becomes a part of a program's.
const helperName = z
  .string()
  .regex(/^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$/, 'not the name of a credential helper');
const fileSchema = z.object({
  auths: z.record(z.string(), entry).default({}),
  credHelpers: z.record(z.string(), helperName).default({}),
  credsStore: helperName.or(z.literal('')).optional(),
});

export const NO_CONFIG: DockerConfig = { auths: [], helpers: [], store: undefined };

/** @throws ERR_CONFIG_INVALID, without the text, which holds secrets */
export function parseDockerConfig(text: string): DockerConfig {
  const refuse = (why: string): never => {
    throw new ShoalError('ERR_CONFIG_INVALID', `not a config.json of Docker: ${why}`);
  };
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return refuse('not JSON');
  }
  const result = fileSchema.safeParse(value);
  if (!result.success) {
    const { path = [], message } = result.error.issues[0] ?? {};
    return refuse(`${path.join('.')}: ${message}`);
  }
  const { auths, credHelpers, credsStore } = result.data;
  return {
    auths: Object.entries(auths).flatMap(([key, said]) => {
      const credential = credentialOf(said);
      return credential === undefined ? [] : [[keyOf(key), credential] as const];
    }),
    helpers: Object.entries(credHelpers).map(([key, helper]) => [keyOf(key), helper] as const),
    store: credsStore === '' ? undefined : credsStore,
  };
}

function credentialOf(said: z.infer<typeof entry>): Credential | undefined {
  const decoded = said.auth === undefined ? '' : Buffer.from(said.auth, 'base64').toString('utf8');
  const colon = decoded.indexOf(':');
  const user = colon > 0 ? decoded.slice(0, colon) : (said.username ?? '');
  // Older clients padded the password with zeros.
  const password = colon > 0 ? decoded.slice(colon + 1).replace(/\0+$/, '') : (said.password ?? '');
  if (said.registrytoken) return { kind: 'bearer', token: said.registrytoken };
  if (said.identitytoken) return { kind: 'identity', user, token: said.identitytoken };
  return user === '' ? undefined : { kind: 'login', user, password };
}

function keyOf(text: string): Key {
  const [, scheme, rest = ''] = /^(?:(https?):\/\/)?(.*)$/is.exec(text.trim()) ?? [];
  const [host = '', ...path] = rest.split('/');
  const namespace = path.filter((part) => part !== '').join('/');
  const plain = scheme?.toLowerCase() === 'http';
  return {
    text,
    host: normalHost(host, plain ? 80 : 443),
    namespace: /^v[12]$/.test(namespace) ? '' : namespace,
    plain,
  };
}

/** Name of a registry as credentials are kept under it: without the port of its scheme, Docker's own by one name. */
export function normalHost(host: string, defaultPort: number): string {
  const lower = host.toLowerCase();
  const bare = lower.endsWith(`:${defaultPort}`) ? lower.slice(0, -`:${defaultPort}`.length) : lower;
  return isDockerHub(bare) ? DOCKER_HUB : bare;
}

/**
 * Where to look for the credential of a registry, the likeliest first.
 * @param hosts Names it is known by, as `normalHost` gives them.
 * @param trusted Whether its address may be told what its key does not say is for plain HTTP.
 */
export function findCredentials(
  config: DockerConfig,
  hosts: readonly string[],
  { repository }: Pick<RegistryTarget, 'repository'>,
  trusted: boolean,
): FoundCredential[] {
  const found: FoundCredential[] = [];
  for (const host of hosts) {
    const fits = (key: Key) =>
      key.host === host && (trusted || key.plain) && covers(key.namespace, repository);
    const helper = closest(config.helpers.filter(([key]) => fits(key)));
    if (helper !== undefined) found.push({ kind: 'helper', helper: helper[1], serverUrl: helper[0].text });
    const serverUrl = host === DOCKER_HUB ? DOCKER_HUB_KEY : host;
    if (config.store !== undefined && trusted)
      found.push({ kind: 'helper', helper: config.store, serverUrl });
    const here = closest(config.auths.filter(([key]) => fits(key)));
    if (here !== undefined) found.push({ kind: 'here', credential: here[1] });
  }
  return found;
}

function covers(namespace: string, repository: string): boolean {
  return namespace === '' || repository === namespace || repository.startsWith(`${namespace}/`);
}

/** The entry of the longest namespace. */
function closest<T>(entries: readonly (readonly [Key, T])[]): readonly [Key, T] | undefined {
  return entries.reduce<readonly [Key, T] | undefined>(
    (best, one) => (best === undefined || one[0].namespace.length > best[0].namespace.length ? one : best),
    undefined,
  );
}
