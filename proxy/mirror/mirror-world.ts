import type { ClientAdmission } from '../../actors/client/admission.ts';
import type { Downloads } from '../../actors/client/downloads.ts';
import type { Clock } from '../../core/clock.ts';
import type { HostId, TaskId } from '../../core/ids.ts';
import type { Logger } from '../../core/logger.ts';
import type { HostMetrics } from '../../core/metrics.ts';
import type { Origin } from '../../origins/origin.ts';
import type { RegistryClient } from '../../origins/registry/registry.ts';
import type { ProxyRequest } from '../request.ts';
import type { Chain } from './chain.ts';
import type { MirrorTokens } from './mirror-tokens.ts';
import type { Wanted } from './oci-error.ts';
import type { Pull, PullBook } from './pull-book.ts';
import type { TagMemory } from './tag-memory.ts';

/** What is known of content that is here whole. */
export interface CachedFacts {
  readonly length: number;
  readonly mediaType: string | undefined;
  /** Whether it was public at its last proof. */
  readonly isPublic: boolean;
}

/** What the mirror is made of. */
export interface MirrorWorld {
  readonly hostId: HostId;
  readonly clock: Clock;
  readonly registry: RegistryClient;
  readonly tokens: MirrorTokens;
  readonly admission: ClientAdmission;
  /** Reads content past the swarm. */
  readonly origin: Origin;
  readonly downloads: Pick<Downloads, 'stream'>;
  readonly cached: (taskId: TaskId) => Promise<CachedFacts | undefined>;
  readonly book: PullBook;
  readonly tags: TagMemory;
  readonly metrics: Pick<HostMetrics, 'proxyAnswered' | 'proxySent'>;
  readonly logger: Logger;
  /** Base URLs of registries by name. */
  readonly registries: Readonly<Record<string, string>>;
  readonly defaultRegistry: string | undefined;
  /** How old an answer to a tag may be while its registry cannot be reached, ms; 0: none is gone by. */
  readonly staleTagsMs: number;
  /** Bytes that this host has received, of whatever content. */
  readonly received: () => number;
  readonly limits: MirrorLimits;
}

/** Time limits and bounds of the mirror. */
export interface MirrorLimits {
  /** One question to a registry. */
  readonly askMs: number;
  /** Before the first byte; then the client is better served elsewhere. */
  readonly firstByteMs: number;
  /** Between bytes; then the connection is cut, and the client goes on by range. */
  readonly stallMs: number;
  /** In place of both while the host receives something: layers come in the order they were asked for, the last ones late. */
  readonly busyMs: number;
  /** Contents given out at once; the next is told to go elsewhere. */
  readonly streams: number;
}

export const MIRROR_LIMITS: MirrorLimits = {
  askMs: 8_000,
  firstByteMs: 15_000,
  stallMs: 10_000,
  busyMs: 240_000,
  streams: 512,
};

/** One request to the mirror, for a registry that is known. */
export interface Ask extends ProxyRequest, Chain {
  readonly registry: string;
  /** Base URL of the registry. */
  readonly base: string;
  /** What stands for the client at its registry; undefined for nobody. */
  readonly authorization: string | undefined;
  /** What a client without credentials that are good enough is told; absent for one that the registry's own is for. */
  readonly challenge: string | undefined;
  readonly accept: string | undefined;
  readonly wanted: Wanted;
  /** What the request counts to; absent for what pulls nothing. */
  readonly pull: Pull | undefined;
}
