import { Gauge, type Registry } from 'prom-client';
import { REGISTRY_FAULTS, type RegistryFault } from '../core/registry-check.ts';

/** What a host is like now. */
export interface HostNow {
  readonly quotaBytes: number;
  /** Downloads that go on without a scheduler, and that get nothing by what it says. */
  readonly adrift: number;
  readonly starved: number;
  /** It has lost NATS, and carries on alone. */
  readonly isolated: boolean;
  /** Registries that fail, by fault. */
  readonly troubled: readonly RegistryFault[];
}

/** Adds gauges that are filled when somebody looks. */
export function addHostGauges(registry: Registry, now: () => HostNow): void {
  const single = (name: string, help: string, value: (at: HostNow) => number): void => {
    new Gauge({
      name,
      help,
      registers: [registry],
      collect() {
        this.set(value(now()));
      },
    });
  };
  single('shoal_cache_quota_bytes', 'Bytes that the cache may hold.', ({ quotaBytes }) => quotaBytes);
  single('shoal_adrift', 'Downloads that go on without a scheduler.', ({ adrift }) => adrift);
  single(
    'shoal_starved',
    'Downloads that get nothing by what a scheduler says, and read the origin.',
    ({ starved }) => starved,
  );
  single('shoal_isolated', '1 while the host has lost NATS and carries on alone.', ({ isolated }) =>
    isolated ? 1 : 0,
  );
  new Gauge({
    name: 'shoal_registries_failing',
    help: 'Registries that the host refuses or cannot reach, by fault: pulls from them go around Shoal.',
    labelNames: ['fault'] as const,
    registers: [registry],
    collect() {
      const { troubled } = now();
      for (const fault of REGISTRY_FAULTS) {
        this.set({ fault }, troubled.filter((each) => each === fault).length);
      }
    },
  });
}
