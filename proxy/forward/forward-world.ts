import type { Downloads } from '../../actors/client/downloads.ts';
import type { Clock } from '../../core/clock.ts';
import type { Logger } from '../../core/logger.ts';
import type { HostMetrics, ProxyRoute } from '../../core/metrics.ts';
import type { AddressPolicy } from '../../origins/address-policy.ts';
import type { ProxyRequest } from '../request.ts';
import type { ForwardLimits } from './limits.ts';
import type { Target } from './target.ts';
import type { Upstream } from './upstream.ts';

/** What answering requests needs. */
export interface ForwardWorld {
  readonly downloads: Pick<Downloads, 'stream'>;
  readonly upstream: Upstream;
  readonly policy: AddressPolicy;
  /** Name of this host in Via headers. */
  readonly via: string;
  readonly clock: Clock;
  readonly metrics: Pick<HostMetrics, 'proxyAnswered' | 'proxySent'>;
  readonly logger: Logger;
  readonly limits: ForwardLimits;
}

/** One request to the forward proxy. */
export interface Arrival extends ProxyRequest {
  readonly route: Extract<ProxyRoute, 'forward' | 'prefix'>;
  /** When it came, monotonic ms. */
  readonly startedMs: number;
}

/** One whose target is known. */
export interface ForwardAsk extends Arrival {
  readonly target: Target;
}
