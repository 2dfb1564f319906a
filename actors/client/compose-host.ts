import type { Alive } from '../../core/host-messages.ts';
import { LIMITS } from '../../core/limits.ts';
import type { RegistryClient } from '../../origins/registry/registry.ts';
import type { Subscription } from '../../transport/bus.ts';
import { tellRefused } from '../host/epoch-refusal.ts';
import { serveExplain } from '../host/explain.ts';
import { HostActor } from '../host/host.ts';
import { Membership } from '../host/membership.ts';
import { Peers } from '../host/peers.ts';
import { type Troubles, troublesOf } from '../host/troubles.ts';
import type { HostOptions } from '../host/work.ts';
import type { HostWorld } from '../host/world.ts';
import { type AdmissionTimes, ClientAdmission } from './admission.ts';
import { Downloads } from './downloads.ts';
import { FetchOrders } from './fetch-orders.ts';
import { ImageLookUps } from './image-lookups.ts';
import { Imports } from './imports.ts';
import { LentHeaders } from './lent-headers.ts';
import { orderedContent } from './ordered-content.ts';

/** What is handed in to make a host of. */
export interface HostParts extends Pick<HostOptions, 'trust' | 'onBook'> {
  readonly world: HostWorld;
  readonly registry: RegistryClient;
  /** Base URL of a registry by its name. */
  readonly baseOf: (name: string) => string;
  readonly admission: AdmissionTimes;
  /** What this host says of itself now, beside what its own transfers are. */
  readonly describe: () => Pick<
    Alive,
    'ip' | 'port' | 'name' | 'zone' | 'labels' | 'version' | 'uploading' | 'slotsUp'
  >;
}

/** The actors of one host. */
export interface ComposedHost {
  readonly actor: HostActor;
  readonly membership: Membership;
  readonly peers: Peers;
  readonly admission: ClientAdmission;
  readonly downloads: Downloads;
  readonly imports: Imports;
  /** What keeps it from the best of its swarm now, in words. */
  readonly troubles: () => Troubles;
  /** The times that hosts of the swarm may prove themselves by, ms since 1970: the one that this host goes by first. */
  readonly walls: () => readonly [number, ...number[]];
  /** Joins the swarm, where there is one. */
  start(): void;
  /** Ends what runs, and leaves. */
  stop(): Promise<void>;
}

/** Puts a host together: the daemon's and the simulated one alike. */
export function composeHost(parts: HostParts): ComposedHost {
  const { world, registry, trust, onBook, describe } = parts;
  const membership = new Membership(world.clock, (refused) => tellRefused(world, refused));
  const peers = new Peers(world, membership);
  const actor = new HostActor({
    world,
    membership,
    peers,
    trust,
    onBook,
    describe: () => ({
      ...describe(),
      role: world.role,
      downloading: peers.pool.used,
      slotsDown: LIMITS.slotsDown,
    }),
  });
  const admission = new ClientAdmission({ ...world, registry }, parts.admission);
  const downloads = new Downloads(world, peers, admission);
  const content = orderedContent(downloads, world.store, (taskId) => actor.giveUp(taskId));
  const lent = new LentHeaders();
  const orders = new FetchOrders(world, content, lent);
  const { baseOf } = parts;
  const lookUps = new ImageLookUps({
    world,
    registry,
    baseOf,
    authorizationOf: (jobId) => lent.authorizationOf(jobId),
  });
  let answering: Subscription[] = [];
  return {
    actor,
    membership,
    peers,
    admission,
    downloads,
    imports: new Imports(world, peers),
    troubles: () => (world.alone ? {} : troublesOf(membership, peers)),
    walls: () => membership.walls,
    start() {
      if (world.alone) return;
      actor.start();
      orders.start();
      answering = [serveExplain(world, peers), lookUps.serve()];
      if (world.isPrivate) answering.push(lent.serve(world.bus, world.hostId));
    },
    async stop() {
      orders.stop();
      for (const each of answering) each.close();
      await peers.stop();
      if (!world.alone) actor.stop();
    },
  };
}
