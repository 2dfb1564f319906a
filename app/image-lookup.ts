import { resolveImage } from '../actors/client/resolve-image.ts';
import type { Clock } from '../core/clock.ts';
import { isDigest } from '../core/ids.ts';
import type { Logger } from '../core/logger.ts';
import { formatPlatform, type Platform } from '../core/oci-platform.ts';
import { formatImageReference, type ImageReference } from '../core/oci-reference.ts';
import { RecentMap } from '../core/recent-map.ts';
import { registryBase } from '../core/registry-names.ts';
import { GATEWAY_LIMITS } from '../gateway/limits.ts';
import type { GatewayWorld, PartOfImage } from '../gateway/world.ts';
import { createAddressPolicy } from '../origins/address-policy.ts';
import { openRegistries } from '../origins/registry/open-registries.ts';
import { chooseProxy } from '../origins/way/proxy-choice.ts';
import type { HostConfig } from './config.ts';
import { realRandom } from './real-world.ts';

interface Known {
  readonly parts: Promise<readonly PartOfImage[]>;
  readonly untilMs: number;
}

/** What looks images up. */
export interface ImageLookup extends AsyncDisposable {
  readonly partsOf: GatewayWorld['imageParts'];
}

/**
 * Asks registries, with the logins of this process, what images are made of, and remembers it for a moment. Whoever
 * names an image, only registries whose address may be read are asked, and those of the configuration.
 */
export function openImageLookup(config: HostConfig, logger: Logger, clock: Clock): ImageLookup {
  const { registries: bases, dockerConfig, allowOrigins, onlyOrigins } = config;
  const configured = Object.values(bases).map((base) => new URL(base).host);
  const registries = openRegistries({
    policy: createAddressPolicy({
      allowOrigin: [...allowOrigins, ...onlyOrigins, ...configured],
      onlyOrigin: onlyOrigins.length > 0,
    }),
    proxy: chooseProxy(config.originProxies, config.proxyPort),
    logger,
    clock,
    random: realRandom,
    dockerConfig,
    registries: bases,
  });
  const baseOf = (name: string) => registryBase(name, bases);
  const known = new RecentMap<string, Known>(GATEWAY_LIMITS.imagesRemembered);

  async function ask(reference: ImageReference, platform: Platform | 'all'): Promise<readonly PartOfImage[]> {
    const resolver = { registry: registries.client, baseOf, platform };
    const items = await resolveImage(resolver, reference, AbortSignal.timeout(GATEWAY_LIMITS.requestMs));
    const parts = new Map<string, PartOfImage>();
    for (const { digest, size = 0 } of items) {
      if (digest !== undefined && isDigest(digest)) parts.set(digest, { digest, size });
    }
    return [...parts.values()];
  }

  return {
    partsOf(reference, platform) {
      const ofPlatform = platform === 'all' ? platform : formatPlatform(platform);
      const name = `${formatImageReference(reference)} ${ofPlatform}`;
      const found = known.get(name);
      if (found !== undefined && found.untilMs > clock.now()) return found.parts;
      const parts = ask(reference, platform);
      known.set(name, { parts, untilMs: clock.now() + GATEWAY_LIMITS.imageMs });
      parts.catch(() => known.delete(name));
      return parts;
    },
    [Symbol.asyncDispose]: () => registries.close(),
  };
}
