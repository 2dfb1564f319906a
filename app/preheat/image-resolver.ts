import type { Logger } from '../../core/logger.ts';
import type { Platform } from '../../core/oci-platform.ts';
import { registryBase } from '../../core/registry-names.ts';
import { createAddressPolicy } from '../../origins/address-policy.ts';
import { openRegistries } from '../../origins/registry/open-registries.ts';
import { chooseProxy } from '../../origins/way/proxy-choice.ts';
import type { HostConfig } from '../config.ts';
import { realClock, realRandom } from '../real-world.ts';
import type { ImageResolver } from './resolve-image.ts';

interface Options {
  readonly config: HostConfig;
  readonly platform: Platform | 'all';
  /** Names of the registries that a person named. */
  readonly named: readonly string[];
  readonly logger: Logger;
}

/** Asks registries under the name of whoever runs the command, for as long as it is open. */
export function openImageResolver(options: Options): ImageResolver & AsyncDisposable {
  const { config, platform, named, logger } = options;
  const baseOf = (name: string) => registryBase(name, config.registries);
  // Who names a registry may read it anyway, wherever it is.
  const hosts = named.map((name) => new URL(baseOf(name)).host);
  const allowOrigin = [...config.allowOrigins, ...hosts];
  const registries = openRegistries({
    policy: createAddressPolicy({ allowOrigin, onlyOrigin: false }),
    logger,
    clock: realClock,
    random: realRandom,
    dockerConfig: config.dockerConfig,
    registries: config.registries,
    proxy: chooseProxy(config.originProxies, config.proxyPort),
  });
  return {
    registry: registries.client,
    baseOf,
    platform,
    [Symbol.asyncDispose]: () => registries.close(),
  };
}
