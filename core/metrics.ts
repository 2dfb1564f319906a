import type { ErrorCode } from './errors.ts';
import type { OriginReadReason } from './origin-reasons.ts';
import type { RegistryFault } from './registry-check.ts';
import type { FailureReason } from './sync-messages.ts';
import type { TimeSpent } from './time-spent.ts';

/** Where bytes of a download came from. */
export type ByteSource = 'origin' | 'peer' | 'local';

/** State of the connection to NATS, as metrics show it. */
export type BusGaugeState = 'connected' | 'disconnected' | 'closed';

/** What was asked of the proxy port: of the registry mirror, or of the forward proxy. */
export type ProxyRoute =
  | 'base'
  | 'manifest'
  | 'blob'
  | 'tags'
  | 'referrers'
  | 'token'
  | 'forward'
  | 'connect'
  | 'prefix'
  | 'invalid';

/** What a host counts; every call is cheap and never throws. */
export interface HostMetrics {
  /** Verified bytes of a download, by where they came from. */
  received(source: ByteSource, bytes: number): void;
  /** Body bytes given to other hosts. */
  sent(bytes: number): void;
  /** Body bytes read from an origin, by reason. */
  originRead(reason: OriginReadReason, bytes: number): void;
  /** A download of this host ended: what its time went to. */
  timeSpent(time: TimeSpent): void;
  /** A `get` or `stream` ended. */
  getEnded(result: 'ok' | ErrorCode, durationMs: number): void;
  /** A transfer of pieces failed. */
  pieceFailed(reason: FailureReason): void;
  /** The proxy port answered; `status` 0: the client went away before. */
  proxyAnswered(route: ProxyRoute, status: number): void;
  /** Body bytes given to clients of the proxy port. */
  proxySent(bytes: number): void;
  /** Transfers running in one direction, and the most that may. */
  slots(direction: 'up' | 'down', used: number, total: number): void;
  cache(bytes: number, tasks: number): void;
  /** A task was removed from the cache. */
  evicted(): void;
  /** A download got nothing though a scheduler answers. */
  starved(why: 'starved' | 'unreachable'): void;
  /** The word of a scheduler was not believed; once for each epoch. */
  epochRefused(why: 'older' | 'ahead'): void;
  /** A registry is refused here, or cannot be reached, in the words of its last failure; once, and each hour. */
  registryFailed(fault: RegistryFault): void;
  busState(state: BusGaugeState): void;
}

/** What a scheduler counts; every call is cheap and never throws. */
export interface SchedulerMetrics {
  /** Tasks and hosts this scheduler knows. */
  known(tasks: number, hosts: number): void;
  /** A sync was answered. */
  synced(durationMs: number): void;
  busState(state: BusGaugeState): void;
}

/** What a gateway counts. */
export interface GatewayMetrics {
  /** A request was answered; `route` is a path with its variables in it. */
  answered(route: string, status: number): void;
  busState(state: BusGaugeState): void;
}

/** Counts nothing. */
export const silentHostMetrics: HostMetrics = {
  received() {},
  sent() {},
  originRead() {},
  timeSpent() {},
  getEnded() {},
  pieceFailed() {},
  proxyAnswered() {},
  proxySent() {},
  slots() {},
  cache() {},
  evicted() {},
  starved() {},
  epochRefused() {},
  registryFailed() {},
  busState() {},
};

/** Counts nothing. */
export const silentSchedulerMetrics: SchedulerMetrics = {
  known() {},
  synced() {},
  busState() {},
};
