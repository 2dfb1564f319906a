import type { Clock, Random } from '../../core/clock.ts';
import type { Logger } from '../../core/logger.ts';
import type { AddressPolicy } from '../address-policy.ts';
import { createOriginConnections } from '../connections.ts';
import { ORIGIN_LIMITS, type OriginLimits } from '../limits.ts';
import type { Origin } from '../origin.ts';
import type { ProxyChoice } from '../way/proxy-choice.ts';
import { Authorizer } from './authorizer.ts';
import { ClientLogins } from './client-logins.ts';
import type { RunHelper } from './credential-helper.ts';
import { RegistryCredentials } from './credentials.ts';
import type { RegistryClient } from './registry.ts';
import { createRegistryClient } from './registry-client.ts';
import { createRegistryOrigin } from './registry-origin.ts';

interface RegistriesOptions {
  readonly policy: AddressPolicy;
  readonly logger: Logger;
  readonly clock: Clock;
  readonly random: Random;
  /** Docker's config.json, for its credentials; need not exist. */
  readonly dockerConfig: string;
  /** Base URLs of registries by name; the credentials of a name go to its URL. */
  readonly registries: Readonly<Record<string, string>>;
  readonly limits?: Partial<OriginLimits>;
  /** Certificates to trust in place of the system's, PEM. */
  readonly ca?: string;
  readonly runHelper?: RunHelper;
  /** Absent: none. */
  readonly proxy?: ProxyChoice;
}

/** All that speaks to registries, with tokens and credentials in common. */
export interface Registries {
  readonly client: RegistryClient;
  /** What clients gave this host to be shown to a registry, by client and origin alike. */
  readonly logins: ClientLogins;
  /** What this host is configured with. */
  readonly credentials: Pick<RegistryCredentials, 'find'>;
  /** An origin that knows how registries want to be read. @param name what this host calls itself in `Via` */
  origin(inner: Origin, name: string): Origin;
  close(): Promise<void>;
}

/** Whoever asks waits: a registry out of reach is told of within seconds. */
const CLIENT_LIMITS: Partial<OriginLimits> = { tries: 3, budgetMs: 5_000, backoffMs: 100, stallMs: 5_000 };

/** Opens the way to registries. */
export function openRegistries(options: RegistriesOptions): Registries {
  const { policy, logger, clock, random, registries, runHelper, ca, proxy } = options;
  const limits = { ...ORIGIN_LIMITS, ...CLIENT_LIMITS, ...options.limits };
  const connections = createOriginConnections({ policy, limits, ca, resolve: undefined, proxy });
  const reader = { connections, policy, logger, clock, random, limits, redirects: limits.redirects };
  const file = options.dockerConfig;
  const credentials = new RegistryCredentials({
    file,
    registries,
    clock,
    logger,
    ...(runHelper && { runHelper }),
  });
  const logins = new ClientLogins(clock, random);
  const authorizer = new Authorizer(reader, credentials, logins);
  return {
    logins,
    credentials,
    client: createRegistryClient(reader, authorizer),
    origin: (inner, name) => createRegistryOrigin({ inner, authorizer, name }),
    async close() {
      authorizer.close();
      logins.close();
      connections.close();
    },
  };
}
