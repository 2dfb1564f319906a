import type { Clock, Random } from '../core/clock.ts';
import type { Logger } from '../core/logger.ts';
import { portOf } from '../core/source.ts';
import type { AddressPolicy } from './address-policy.ts';
import { createOriginConnections, type ResolveName } from './connections.ts';
import { ORIGIN_LIMITS, type OriginLimits } from './limits.ts';
import type { Origin } from './origin.ts';
import { probeOrigin } from './probe.ts';
import { readOrigin } from './read.ts';
import type { ProxyChoice } from './way/proxy-choice.ts';

/** What a reader of HTTP origins is made of. */
export interface HttpOriginOptions {
  readonly policy: AddressPolicy;
  readonly logger: Logger;
  readonly clock: Clock;
  readonly random: Random;
  readonly limits?: Partial<OriginLimits>;
  /** Certificates to trust in place of the system's, PEM. */
  readonly ca?: string;
  /** Absent: the system's. */
  readonly resolve?: ResolveName;
  /** Absent: none. */
  readonly proxy?: ProxyChoice;
}

/** Reads origins over HTTP/1.1. */
export function createHttpOrigin(options: HttpOriginOptions): Origin {
  const { policy, logger, clock, random } = options;
  const limits = { ...ORIGIN_LIMITS, ...options.limits };
  const { ca, resolve, proxy } = options;
  const connections = createOriginConnections({ policy, limits, ca, resolve, proxy });
  const reader = { connections, policy, logger, clock, random, limits, redirects: limits.redirects };
  return {
    probe: (request, signal) => probeOrigin(reader, request, signal),
    read: (request, sink, signal) => readOrigin(reader, request, sink, signal),
    allows(text) {
      try {
        const url = new URL(text);
        const http = url.protocol === 'http:' || url.protocol === 'https:';
        return http && policy.allowsHost(url.hostname, portOf(url));
      } catch {
        return false;
      }
    },
    async close() {
      connections.close();
    },
  };
}
