import type { ComposedHost } from '../actors/client/compose-host.ts';
import type { HostWorld } from '../actors/host/world.ts';
import type { HostControl, HostStatus } from '../admin/control.ts';
import type { TaskId } from '../core/ids.ts';
import { registryNamer } from '../core/registry-names.ts';
import type { RangeServer } from '../dataplane/data-plane.ts';
import type { Advertised } from './advertised.ts';
import { cacheControl } from './cache-control.ts';
import type { HostConfig } from './config.ts';
import { listImages } from './images.ts';
import { swarmQueries } from './swarm-query.ts';
import { VERSION } from './version.ts';

interface Facts {
  readonly config: HostConfig;
  readonly world: HostWorld;
  readonly advertised: Advertised;
  readonly server: RangeServer;
  readonly host: ComposedHost;
  /** HOST:PORT of the proxy port, once it listens. */
  readonly proxyAddress: () => string | undefined;
  readonly troubles: () => HostStatus['troubles'];
  readonly checkRegistries: HostControl['checkRegistries'];
}

/** What the command line beside a daemon can ask of it. */
export function hostControl(facts: Facts): HostControl {
  const { world, host } = facts;
  const { downloads } = host;
  const own = { hostId: world.hostId, delivery: (taskId: TaskId) => host.peers.delivery(taskId) };
  const queries = swarmQueries(world.bus, { own });
  const startedMs = world.clock.now();
  return {
    ...queries,
    ...cacheControl(world, host),
    get: (request, onProgress, signal) => downloads.get(request, onProgress, signal),
    stream: (request, onResult, signal) => downloads.stream(request, { onResult }, signal),
    status: () => statusOf(facts, startedMs),
    checkRegistries: facts.checkRegistries,
    images: () => listImages(world.store, registryNamer(facts.config.registries)),
  };
}

function statusOf(facts: Facts, startedMs: number): HostStatus {
  const { config, world, advertised, server, host } = facts;
  const { actor, peers } = host;
  const proxy = facts.proxyAddress();
  return {
    hostId: world.hostId,
    version: VERSION,
    role: config.role,
    ...(config.zone === undefined ? {} : { zone: config.zone }),
    swarm: config.swarm,
    nats: {
      ...(config.nats === undefined ? {} : { url: config.nats.servers.join(',') }),
      state: world.alone ? 'none' : world.bus.state,
    },
    state: world.alone ? 'alone' : actor.state,
    troubles: facts.troubles(),
    ip: advertised.ip,
    dataPort: server.port,
    ...(proxy === undefined ? {} : { proxy }),
    uptimeMs: Math.round(world.clock.now() - startedMs),
    cache: world.store.usage,
    transfers: {
      up: server.uploading,
      down: peers.pool.used,
      slotsUp: server.slots,
      slotsDown: peers.pool.total,
    },
    bytes: { ...peers.received, sent: server.sentBytes },
    pid: process.pid,
  };
}
