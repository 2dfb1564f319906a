import { z } from 'zod';
import type { HostControl } from '../admin/control.ts';
import { DOCKER_HUB } from '../core/docker-hub.ts';
import { toShoalError } from '../core/errors.ts';
import type { RegistryCheck, RegistryTrouble } from '../core/registry-check.ts';
import { registryBase } from '../core/registry-names.ts';
import type { Registries } from '../origins/registry/open-registries.ts';
import type { RegistryAnswer, RegistryClient } from '../origins/registry/registry.ts';
import { registryTroubleOf } from '../origins/registry/registry-trouble.ts';
import { registryTargetOf } from '../origins/registry/target.ts';

interface CheckParts {
  readonly client: RegistryClient;
  readonly credentials: Registries['credentials'];
  /** Base URLs of registries by name. */
  readonly registries: Readonly<Record<string, string>>;
}

/** One registry. The command line waits for all of them at once. */
const CHECK_MS = 8_000;
/** Something small that is there, where a registry lists nothing to strangers. */
const KNOWN_IMAGES: Readonly<Record<string, string>> = {
  [DOCKER_HUB]: 'library/hello-world:latest',
  'quay.io': 'prometheus/busybox:latest',
  'registry.k8s.io': 'pause:3.10',
};

const catalog = z.object({ repositories: z.array(z.string()).nullish() });
const tagList = z.object({ tags: z.array(z.string()).nullish() });

/** Asks registries as a pull would begin, and says what would come of it. */
export function registryChecks(parts: CheckParts): HostControl['checkRegistries'] {
  return (names) => {
    const meant = names.length > 0 ? names : [...Object.keys(parts.registries), ...Object.keys(KNOWN_IMAGES)];
    return Promise.all([...new Set(meant)].map((name) => check(parts, name)));
  };
}

async function check({ client, credentials, registries }: CheckParts, name: string): Promise<RegistryCheck> {
  const url = registryBase(name, registries);
  if (!URL.canParse(url)) {
    const trouble = { fault: 'no-registry', why: 'no name of a registry', fix: 'correct the name' } as const;
    return { name, url, login: false, asks: false, trouble };
  }
  const target = registryTargetOf(`${url}/v2/`);
  const login = target !== undefined && (await credentials.find(target)) !== undefined;
  const signal = AbortSignal.timeout(CHECK_MS);
  const about = { name, url, login };
  try {
    const door = await client.ask({ base: url, path: '/v2/', method: 'GET', plain: true }, signal);
    const asks = door.status === 401;
    const trouble = asks || door.status === 429 ? undefined : troubleOfDoor(door, about);
    if (trouble !== undefined) return { ...about, asks, trouble };
    const known = Object.hasOwn(registries, name) ? undefined : KNOWN_IMAGES[name];
    const image = known ?? (await anyImage(client, url, signal).catch(() => undefined));
    return { ...about, asks, ...(image !== undefined && { image }) };
  } catch (error) {
    return { ...about, asks: false, trouble: troubleOfFailure(error, about) };
  }
}

interface About {
  readonly name: string;
  readonly url: string;
}

function troubleOfDoor({ status }: RegistryAnswer, { name, url }: About): RegistryTrouble | undefined {
  if (status >= 200 && status < 300) return undefined;
  const why = `${url}/v2/ answers ${status}, which no registry does`;
  const fix = `say where it is: start the daemon with --registry ${name}=URL`;
  return { fault: 'no-registry', why, fix };
}

function troubleOfFailure(error: unknown, { name, url }: About): RegistryTrouble {
  const known = registryTroubleOf(error, name, url);
  if (known !== undefined) return known;
  const { code, message } = toShoalError(error);
  const why = code === 'ERR_INTERNAL' ? `no answer in ${CHECK_MS / 1_000} s` : message;
  return { fault: 'unreachable', why, fix: 'see whether it is up, and reached from this machine' };
}

/** Something that a registry has, where it tells. */
async function anyImage(
  client: RegistryClient,
  base: string,
  signal: AbortSignal,
): Promise<string | undefined> {
  const ask = async <T>(path: string, schema: z.ZodType<T>): Promise<T | undefined> => {
    const { status, body } = await client.ask({ base, path, method: 'GET' }, signal);
    return status === 200 ? schema.parse(JSON.parse(Buffer.from(body).toString())) : undefined;
  };
  const repository = (await ask('/v2/_catalog?n=1', catalog))?.repositories?.[0];
  if (repository === undefined) return undefined;
  const tag = (await ask(`/v2/${repository}/tags/list?n=1`, tagList))?.tags?.[0];
  return tag === undefined ? undefined : `${repository}:${tag}`;
}
