import type { Emit } from '../core/events.ts';
import type { HostId } from '../core/ids.ts';
import type { Logger } from '../core/logger.ts';
import type { HostMetrics } from '../core/metrics.ts';
import type { RegistryFault } from '../core/registry-check.ts';
import type { TroubledRegistry } from '../origins/registry/registry-watch.ts';

interface Ears {
  readonly hostId: HostId;
  readonly emit: Emit;
  readonly metrics: Pick<HostMetrics, 'registryFailed'>;
  readonly logger: Logger;
}

const SAID: Readonly<Record<RegistryFault, string>> = {
  refused: 'a registry is refused here, so pulls from it go around Shoal',
  'plain-http': 'a registry speaks http and is asked by https, so pulls from it go around Shoal',
  untrusted: 'the certificate of a registry is not trusted here, so pulls from it go around Shoal',
  unreachable: 'a registry cannot be reached from here',
  'no-registry': 'no registry answers where one should be',
};

/** Who is told of registries that fail, and of those that are back: the log, the metrics, the events. */
export function registryNews({ hostId, emit, metrics, logger }: Ears) {
  return {
    onFailed(troubled: TroubledRegistry): void {
      metrics.registryFailed(troubled.fault);
      logger.warn({ ...troubled }, SAID[troubled.fault]);
      emit('registry.failed', hostId, { hostId, ...troubled });
    },
    onRecovered({ registry, url }: TroubledRegistry): void {
      logger.info({ registry, url }, 'a registry answers again');
      emit('registry.recovered', hostId, { hostId, registry, url });
    },
  };
}

/** Registries that fail, as `status` shows them. */
export function registryTroubles(troubled: readonly TroubledRegistry[]): Record<string, string> {
  return Object.fromEntries(
    troubled.map(({ registry, why, fix }) => [`registry ${registry}`, `${why}: ${fix}`]),
  );
}
