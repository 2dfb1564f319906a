import { connectDaemon } from '../../admin/client.ts';
import { DOCKER_HUB } from '../../core/docker-hub.ts';
import { ShoalError, toShoalError } from '../../core/errors.ts';
import { type ImageReference, parseImageReference } from '../../core/oci-reference.ts';
import type { RegistryCheck } from '../../core/registry-check.ts';
import type { Client } from './clients.ts';
import { type PullTest, pullTest } from './pull-test.ts';

/** What a client is checked for. */
export interface CheckAsked {
  readonly client: Client;
  /** The daemon's directory. */
  readonly dir: string;
  /** The daemon's proxy port as the client is told it. */
  readonly proxy: string;
  /** Registries that were named; empty: whichever there are. */
  readonly names: readonly string[];
  readonly testImage: string | undefined;
  /** Docker alone: all that it fetches goes through the proxy, so that no name is left out. */
  readonly proxies: boolean;
}

/** What a daemon said of the registries of a client. */
export interface Checked {
  readonly dir: string;
  readonly registries: readonly RegistryCheck[];
  readonly pull?: PullTest;
  /** Why nothing was pulled. */
  readonly unpulled?: string;
  /** Why pulls would go around Shoal; empty: they go through it. */
  readonly faults: readonly string[];
}

/** Asks the daemon what it would do with each registry, and pulls one small blob through it. @throws ERR_IMAGE_REFERENCE */
export async function checkClient(asked: CheckAsked): Promise<Checked> {
  const { client, dir } = asked;
  const image = asked.testImage === undefined ? undefined : parseImageReference(asked.testImage);
  const own = client === 'docker' && asked.names.length === 0 ? [DOCKER_HUB] : asked.names;
  const names = image === undefined || own.length === 0 ? own : [...new Set([...own, image.registry])];
  let registries: readonly RegistryCheck[];
  try {
    registries = await (await connectDaemon(dir)).checkRegistries(names);
  } catch (error) {
    const why = `the daemon cannot be asked: ${toShoalError(error).message}`;
    return { dir, registries: [], unpulled: why, faults: [`${why} (--dir says where it is)`] };
  }
  const faults = faultsOf(registries, names.length > 0);
  const pulled = await pullOne(asked, registries, image);
  return { dir, registries, ...pulled.told, faults: [...faults, ...pulled.faults] };
}

/** Of registries that nobody named, one that cannot be reached from here may be one that nobody needs. */
function faultsOf(registries: readonly RegistryCheck[], areNamed: boolean): string[] {
  const troubled = registries.filter(({ trouble }) => trouble !== undefined);
  const isAll = troubled.length === registries.length;
  return troubled
    .filter(({ trouble }) => areNamed || isAll || trouble?.fault !== 'unreachable')
    .map(({ name, trouble }) => `${name}: ${trouble?.why}`);
}

async function pullOne(
  { client, proxy, proxies }: CheckAsked,
  registries: readonly RegistryCheck[],
  image: ImageReference | undefined,
): Promise<{ readonly told: Pick<Checked, 'pull' | 'unpulled'>; readonly faults: readonly string[] }> {
  const reference = image ?? firstImage(registries);
  if (reference === undefined) {
    const unpulled = 'no image is known there: name one with --test-image IMAGE';
    return { told: { unpulled }, faults: [] };
  }
  const isNamed = client === 'containerd' || proxies;
  const namedBy = isNamed ? 'ns' : client === 'docker' ? 'nobody' : 'path';
  const version = reference.digest ?? reference.tag ?? 'latest';
  try {
    return { told: { pull: await pullTest({ namedBy, proxy, reference, version }) }, faults: [] };
  } catch (error) {
    const { message, details } = toShoalError(error);
    const isLogin = details['status'] === 401 || details['status'] === 403;
    if (isLogin && image === undefined) {
      const unpulled = 'the registry asks for a login: name what anybody may pull with --test-image IMAGE';
      return { told: { unpulled }, faults: [] };
    }
    return { told: { unpulled: message }, faults: [`the pull test failed: ${message}`] };
  }
}

function firstImage(registries: readonly RegistryCheck[]): ImageReference | undefined {
  const found = registries.find(({ trouble, image }) => trouble === undefined && image !== undefined);
  return found === undefined ? undefined : parseImageReference(`${found.name}/${found.image}`);
}

/** @throws ERR_CONFIG_GOES_AROUND where a check found faults */
export function refuseFaults({ faults }: Checked): void {
  if (faults.length > 0) throw new ShoalError('ERR_CONFIG_GOES_AROUND', faults.join('\n'));
}
