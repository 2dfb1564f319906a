import { hostname } from 'node:os';
import { type ComposedHost, composeHost } from '../actors/client/compose-host.ts';
import { keepScrubbing } from '../actors/host/scrub.ts';
import type { HostWorld } from '../actors/host/world.ts';
import type { HostControl } from '../admin/control.ts';
import type { Health } from '../admin/health.ts';
import { type HostId, isHostId, type TaskId } from '../core/ids.ts';
import { registryBase, registryNamer } from '../core/registry-names.ts';
import { redactUrl } from '../core/source.ts';
import { sparingLogger } from '../core/sparing-logger.ts';
import { viaName } from '../core/via.ts';
import { createAdmission, type MemberRules } from '../dataplane/admission.ts';
import type { ServedTask } from '../dataplane/data-plane.ts';
import { createDataPlane } from '../dataplane/http-data-plane.ts';
import { createLimiter } from '../dataplane/limiter.ts';
import { startRangeServer } from '../dataplane/range-server.ts';
import { createAddressPolicy } from '../origins/address-policy.ts';
import { createHttpOrigin } from '../origins/http-origin.ts';
import { openRegistries } from '../origins/registry/open-registries.ts';
import { RegistryWatch } from '../origins/registry/registry-watch.ts';
import { chooseProxy } from '../origins/way/proxy-choice.ts';
import type { ProxyPort } from '../proxy/port.ts';
import { openStore } from '../storage/open-store.ts';
import type { Store } from '../storage/store.ts';
import type { Bus } from '../transport/bus.ts';
import { createMemoryHub } from '../transport/memory-bus.ts';
import { Advertised } from './advertised.ts';
import { registryChecks } from './check-registries.ts';
import { type Closing, opening } from './closing.ts';
import type { HostConfig } from './config.ts';
import { descriptorLimit, descriptorShares } from './descriptors.ts';
import { createEmit } from './events.ts';
import { hostControl } from './host-control.ts';
import { addHostGauges } from './host-gauges.ts';
import { Identity } from './identity.ts';
import { limitedOrigin } from './limited-origin.ts';
import type { RootLogger } from './logging.ts';
import { openHostMetrics } from './metrics.ts';
import { openNatsBus } from './nats-bus.ts';
import { loginName } from './nats-login.ts';
import { ownUse } from './own-use.ts';
import { isPrivateLink } from './private-link.ts';
import { addProcessMetrics } from './process-metrics.ts';
import { openProxy } from './proxy.ts';
import { realClock, realRandom } from './real-world.ts';
import { registryNews, registryTroubles } from './registry-news.ts';
import { schedulerKeyLookup } from './scheduler-keys.ts';
import { VERSION } from './version.ts';

/** A running host. */
export interface OpenHost extends AsyncDisposable {
  readonly control: HostControl;
  /** Resolves once the host is a member of its swarm; at once where there is none. */
  readonly ready: Promise<void>;
  /** Opens the registry mirror and the proxy, which are closed with the host. @throws ERR_CONFIG_INVALID */
  openProxy(): Promise<Pick<ProxyPort, 'address'>>;
  metricsText(): Promise<string>;
  health(): Health;
}

/** Brings up a host: everything it is made of, composed here. @throws ERR_STORE_IO, ERR_CONFIG_INVALID */
export function openHost(config: HostConfig, logger: RootLogger): Promise<OpenHost> {
  return opening((closing) => compose(config, logger, closing));
}

async function compose(config: HostConfig, logger: RootLogger, closing: Closing): Promise<OpenHost> {
  const identity = Identity.open(config.dir, realRandom, hostOfLogin(config));
  const { hostId } = identity;
  const { metrics, registry: numbers, text } = openHostMetrics();
  addProcessMetrics(numbers);
  const shares = descriptorShares(descriptorLimit());
  const store = closable(closing, await openStoreOf(config, logger, shares.tasks));
  let refusal: string | undefined;
  const onRefused = ({ message }: Error) => {
    refusal = `${config.nats?.servers.map(redactUrl).join(', ')} refuses its login: ${message}`;
  };
  const bus = closable(closing, openBus(config, hostId, logger, onRefused));
  const lookUp = schedulerKeyLookup(bus, (keys) => identity.learnKeys(keys));
  const shelf = shelfOf(store);

  const members: MemberRules = {
    swarm: config.swarm,
    keys: () => identity.keys(),
    clock: { wall: () => host.walls()[0] },
    walls: () => host.walls(),
    isolated: () => host.actor.state !== 'announced',
    onUnknownKey: lookUp,
  };

  const server = closable(
    closing,
    await startRangeServer({
      host: config.dataListen,
      port: config.dataPort,
      shelf,
      logger: sparingLogger(logger.child({ sub: 'dataplane' }), realClock),
      maxConnections: shares.up,
      limiter: limiterOf(config.limitUpBytesPerSec),
      onServed: (bytes) => metrics.sent(bytes),
      admission: createAdmission({ ...members, selfHostId: hostId }),
      credentials: () => identity.credentials(),
      tls: config.dataTls,
    }),
  );
  const down = limiterOf(config.limitDownBytesPerSec);
  const dataPlane = closable(
    closing,
    createDataPlane({
      credentials: () => identity.credentials(),
      members,
      tls: config.dataTls,
      limiter: down,
      maxConnections: shares.down,
    }),
  );
  const policy = createAddressPolicy({
    allowOrigin: [...config.allowOrigins, ...config.onlyOrigins],
    onlyOrigin: config.onlyOrigins.length > 0,
  });
  const originLog = logger.child({ sub: 'origins' });
  const originProxy = chooseProxy(config.originProxies, config.proxyPort);
  const reading = { policy, proxy: originProxy, logger: originLog, clock: realClock, random: realRandom };
  const { dockerConfig, registries: bases, swarm, pieceEvents } = config;
  const emit = createEmit({ bus, swarm, speaker: hostId, pieceEvents });
  const registries = closable(closing, openRegistries({ ...reading, dockerConfig, registries: bases }));
  const watch = new RegistryWatch({
    clock: realClock,
    nameOf: registryNamer(bases),
    ...registryNews({ hostId, emit, metrics, logger: originLog }),
  });
  const client = watch.watched(registries.client);
  const http = createHttpOrigin(reading);
  const plain = down ? limitedOrigin(http, down) : http;
  const origin = closable(closing, registries.origin(plain, viaName(hostId)));

  const world: HostWorld = {
    clock: realClock,
    random: realRandom,
    bus,
    emit,
    log: logger.child({ sub: 'host' }),
    hostId,
    incarnation: Math.floor(realRandom.next() * 2 ** 48),
    role: config.role,
    store,
    dataPlane,
    origin,
    metrics,
    ownUse,
    originReaders: config.originReaders,
    starvedAfterMs: config.starvedAfterMs,
    alone: config.nats === undefined,
    isPrivate: config.nats !== undefined && isPrivateLink(config.nats),
  };
  const advertised = await Advertised.find(config, world.log);
  const host: ComposedHost = composeHost({
    world,
    registry: client,
    baseOf: (name) => registryBase(name, config.registries),
    admission: { memoryMs: config.accessMemoryMs, graceMs: config.accessGraceMs },
    trust: identity,
    onBook: (book) => advertised.compare(book),
    describe: () => ({
      ip: advertised.ip,
      port: server.port,
      name: hostname(),
      zone: config.zone,
      labels: config.labels,
      version: VERSION,
      uploading: server.uploading,
      slotsUp: server.slots,
    }),
  });
  addHostGauges(numbers, () => ({
    quotaBytes: store.usage.quotaBytes,
    ...host.peers.astray,
    isolated: host.actor.state === 'isolated',
    troubled: watch.troubled.map(({ fault }) => fault),
  }));
  const ended = new AbortController();
  const ready = world.alone ? Promise.resolve() : host.actor.announced(ended.signal);
  // Whoever does not wait for it need not hear that the host was closed before.
  ready.catch(() => undefined);
  host.start();
  void keepScrubbing({ world, peers: host.peers }, config.scrubBytesPerSec, ended.signal);
  closing.use({
    async [Symbol.asyncDispose]() {
      ended.abort();
      await host.stop();
    },
  });

  let proxy: ProxyPort | undefined;
  const proxyAddress = () => proxy?.address;
  const troubles = () => ({
    ...(refusal === undefined || bus.state === 'connected' ? {} : { nats: refusal }),
    ...host.troubles(),
    ...registryTroubles(watch.troubled),
  });
  const checkRegistries = registryChecks({ client, credentials: registries.credentials, registries: bases });
  const facts = { config, world, advertised, server, host, proxyAddress, troubles, checkRegistries };
  return {
    control: hostControl(facts),
    ready,
    async openProxy() {
      const connections = shares.clients;
      const { logins } = registries;
      const parts = {
        config,
        world,
        host,
        policy,
        originProxy,
        registry: client,
        logins,
        logger,
        connections,
      };
      proxy = closing.use(await openProxy(parts));
      return proxy;
    },
    metricsText: text,
    health: () => ({
      live: true,
      ready: world.alone || ['announced', 'isolated'].includes(host.actor.state),
      checks: { host: world.alone ? 'alone' : host.actor.state, nats: bus.state, ...troubles() },
    }),
    [Symbol.asyncDispose]: () => closing[Symbol.asyncDispose](),
  };
}

/** The host that a login is of, where it is that of one host alone. */
function hostOfLogin({ nats }: HostConfig): HostId | undefined {
  const name = nats === undefined ? undefined : loginName(nats);
  return name !== undefined && isHostId(name) ? name : undefined;
}

function openStoreOf(config: HostConfig, logger: RootLogger, openTasks: number): Promise<Store> {
  return openStore({
    dir: config.dir,
    quotaBytes: config.cacheBytes,
    clock: realClock,
    openTasks,
    logger: logger.child({ sub: 'storage' }),
  });
}

/** The bus of the swarm; without one, a bus that nobody else is on and that is never connected. */
function openBus(
  config: HostConfig,
  hostId: string,
  logger: RootLogger,
  onRefused: (error: Error) => void,
): Bus {
  const { nats, swarm } = config;
  if (nats === undefined) {
    const bus = createMemoryHub({ clock: realClock, random: realRandom }).bus(hostId);
    bus.setConnected(false);
    return bus;
  }
  const who = { kind: 'host', name: hostId } as const;
  return openNatsBus(nats, who, { swarm, logger: logger.child({ sub: 'transport' }), onRefused });
}

function limiterOf(bytesPerSec: number | undefined) {
  return bytesPerSec === undefined ? undefined : createLimiter(bytesPerSec, realClock);
}

function shelfOf(store: Store): (taskId: TaskId) => Promise<ServedTask | undefined> {
  return async (taskId) => {
    const stored = await store.open(taskId);
    if (stored === undefined) return undefined;
    return {
      get length() {
        return stored.record.length;
      },
      pieceLength: stored.record.pieceLength,
      get audience() {
        return stored.record.audience;
      },
      get home() {
        return stored.record.home;
      },
      get have() {
        return stored.have;
      },
      hash: (piece) => stored.hash(piece),
      read: (buffer, position) => stored.read(buffer, position),
      pin: () => stored.pin(),
    };
  };
}

function closable<T extends { close(): Promise<void> }>(closing: Closing, resource: T): T {
  closing.use({ [Symbol.asyncDispose]: () => resource.close() });
  return resource;
}
