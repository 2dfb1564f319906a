import type { Clock } from '../core/clock.ts';
import { isDigest } from '../core/ids.ts';
import type { Logger } from '../core/logger.ts';
import { formatPlatform, type Platform } from '../core/oci-platform.ts';
import { formatImageReference, type ImageReference } from '../core/oci-reference.ts';
import { RecentMap } from '../core/recent-map.ts';
import { GATEWAY_LIMITS } from '../gateway/limits.ts';
import type { GatewayWorld, ImagePart } from '../gateway/world.ts';
import type { HostConfig } from './config.ts';
import { openImageResolver } from './preheat/image-resolver.ts';
import { resolveImage } from './preheat/resolve-image.ts';

interface Known {
  readonly parts: Promise<readonly ImagePart[]>;
  readonly untilMs: number;
}

/**
 * What images are made of, asked at their registries with the logins of this process, and remembered for a moment.
 * Only registries whose address may be read are asked, whoever names one.
 */
export function imageParts(config: HostConfig, logger: Logger, clock: Clock): GatewayWorld['imageParts'] {
  const known = new RecentMap<string, Known>(GATEWAY_LIMITS.imagesRemembered);

  async function ask(reference: ImageReference, platform: Platform | 'all'): Promise<readonly ImagePart[]> {
    const configured = Object.keys(config.registries);
    const resolver = openImageResolver({ config, platform, named: configured, logger });
    try {
      const signal = AbortSignal.timeout(GATEWAY_LIMITS.requestMs);
      const items = await resolveImage(resolver, reference, signal);
      const parts = new Map<string, ImagePart>();
      for (const { digest, size = 0 } of items) {
        if (digest !== undefined && isDigest(digest)) parts.set(digest, { digest, size });
      }
      return [...parts.values()];
    } finally {
      await resolver[Symbol.asyncDispose]();
    }
  }

  return (reference, platform) => {
    const name = `${formatImageReference(reference)} ${platform === 'all' ? platform : formatPlatform(platform)}`;
    const found = known.get(name);
    if (found !== undefined && found.untilMs > clock.now()) return found.parts;
    const parts = ask(reference, platform);
    known.set(name, { parts, untilMs: clock.now() + GATEWAY_LIMITS.imageMs });
    parts.catch(() => known.delete(name));
    return parts;
  };
}
