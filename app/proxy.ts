import { join } from 'node:path';
import type { ComposedHost } from '../actors/client/compose-host.ts';
import type { HostWorld } from '../actors/host/world.ts';
import type { TaskId } from '../core/ids.ts';
import { sparingLogger } from '../core/sparing-logger.ts';
import type { AddressPolicy } from '../origins/address-policy.ts';
import type { Registries } from '../origins/registry/open-registries.ts';
import type { RegistryClient } from '../origins/registry/registry.ts';
import type { ProxyChoice } from '../origins/way/proxy-choice.ts';
import { createForward } from '../proxy/forward/forward.ts';
import { Mirror } from '../proxy/mirror/mirror.ts';
import { MirrorTokens } from '../proxy/mirror/mirror-tokens.ts';
import { type CachedFacts, MIRROR_LIMITS } from '../proxy/mirror/mirror-world.ts';
import { PullBook, type PullStory } from '../proxy/mirror/pull-book.ts';
import { pullText } from '../proxy/mirror/pull-text.ts';
import { TagMemory } from '../proxy/mirror/tag-memory.ts';
import { type ProxyPort, startProxyPort } from '../proxy/port.ts';
import type { Store } from '../storage/store.ts';
import { opening } from './closing.ts';
import type { HostConfig } from './config.ts';
import type { RootLogger } from './logging.ts';

/** What the proxy port of a host is made of. */
export interface ProxyParts {
  readonly config: HostConfig;
  readonly world: HostWorld;
  readonly host: ComposedHost;
  readonly policy: AddressPolicy;
  /** Through which the origins of the forward proxy are asked. */
  readonly originProxy: ProxyChoice;
  readonly registry: RegistryClient;
  readonly logins: Registries['logins'];
  readonly logger: RootLogger;
  /** Connections of clients at most. */
  readonly connections: number;
}

/** A pull is over when it was quiet for so long. */
const QUIET_MS = 3_000;

/** Opens the proxy port of a host: the registry mirror, and the forward proxy. @throws ERR_CONFIG_INVALID */
export function openProxy(parts: ProxyParts): Promise<ProxyPort> {
  return opening(async (closing) => {
    const { config, world, host, policy, registry, logins } = parts;
    const { admission, downloads, peers } = host;
    const { clock, random, hostId, origin, metrics } = world;
    const logger = parts.logger.child({ sub: 'proxy' });
    const { staleTagsMs } = config;
    const file = join(config.dir, 'tags');
    const tags = new TagMemory({ file, clock, logger, enabled: staleTagsMs > 0 });
    closing.use({ [Symbol.asyncDispose]: () => tags.close() });
    const onPulled = (story: PullStory) => {
      world.emit('image.pulled', hostId, story);
      logger.info(story, pullText(story));
    };
    const book = new PullBook({ clock, hostId, quietMs: QUIET_MS, onPulled });
    closing.use({ [Symbol.asyncDispose]: async () => book.close() });
    const mirror = new Mirror({
      hostId,
      clock,
      registry,
      tokens: new MirrorTokens({ hostId, clock, random, logins }),
      admission,
      origin,
      downloads,
      cached: (taskId) => cachedFacts(world.store, taskId),
      book,
      tags,
      metrics,
      logger,
      registries: config.registries,
      defaultRegistry: config.defaultRegistry,
      staleTagsMs,
      received: () => peers.received.origin + peers.received.peers,
      limits: MIRROR_LIMITS,
    });
    const about = { hostId, downloads, policy, proxy: parts.originProxy, clock, metrics, logger };
    const forward = await createForward({ ...about, ...config.forward });
    closing.use({ [Symbol.asyncDispose]: () => forward.close() });
    const port = await startProxyPort({
      listen: config.proxyListen,
      port: config.proxyPort,
      mirror: (asked) => mirror.handle(asked),
      forward,
      logger: sparingLogger(logger, clock),
      limits: { connections: parts.connections },
    });
    closing.use(port);
    return { ...port, [Symbol.asyncDispose]: () => closing[Symbol.asyncDispose]() };
  });
}

async function cachedFacts(store: Store, taskId: TaskId): Promise<CachedFacts | undefined> {
  if (!store.row(taskId)?.complete) return undefined;
  const stored = await store.open(taskId);
  if (!stored?.complete) return undefined;
  const { length = 0, mediaType, audience, home } = stored.record;
  return { length, mediaType, isPublic: audience === 'public', home };
}
