import type { ClientAdmission } from '../actors/client/admission.ts';
import { type ComposedHost, composeHost } from '../actors/client/compose-host.ts';
import type { HostActor } from '../actors/host/host.ts';
import type { Peers } from '../actors/host/peers.ts';
import type { HostWorld } from '../actors/host/world.ts';
import type { DownloadRequest, DownloadResult, StreamHooks } from '../core/download.ts';
import { type ShoalError, toShoalError } from '../core/errors.ts';
import type { HostAddress, HostRole } from '../core/host.ts';
import { type HostId, hostIdFrom } from '../core/ids.ts';
import { LIMITS } from '../core/limits.ts';
import { silentHostMetrics } from '../core/metrics.ts';
import { registryBase } from '../core/registry-names.ts';
import { createAdmission } from '../dataplane/admission.ts';
import { createMemoryStore } from '../storage/memory-store.ts';
import type { Store } from '../storage/store.ts';
import type { MemoryBus } from '../transport/memory-bus.ts';
import { ProcessClock } from './clock.ts';
import { copyStore } from './copy-store.ts';
import { type FindServer, SimDataPlane, SimRangeServer } from './data-plane.ts';
import { SimNode } from './network.ts';
import { SimOrigin } from './origin.ts';
import { SimPapers, signingKeyOf } from './papers.ts';
import { type SimPlace, SWARM, spokenBy } from './place.ts';
import type { SimRandom } from './random.ts';

/** One `get` of a simulated host, and how it ended. */
export interface SimGet {
  readonly host: SimHost;
  readonly abort: AbortController;
  state: 'running' | 'done' | 'failed' | 'crashed';
  result?: DownloadResult;
  error?: ShoalError;
  /** When it ended, virtual ms. */
  endedMs?: number;
}

/** From one start of a daemon to its end. */
interface Life {
  readonly clock: ProcessClock;
  readonly bus: MemoryBus;
  readonly node: SimNode;
  readonly server: SimRangeServer;
  readonly host: ComposedHost;
}

interface HostOptions {
  readonly index: number;
  readonly role: HostRole;
  readonly bytesPerSec: number;
  readonly find: FindServer;
}

const PORT = 4000;

/** A simulated host: the daemon's own actors over a simulated machine, which crashes and starts again. */
export class SimHost {
  readonly hostId: HostId;
  readonly name: string;
  readonly gets: SimGet[] = [];
  readonly #place: SimPlace;
  readonly #options: HostOptions;
  readonly #random: SimRandom;
  readonly #papers: SimPapers;
  /** How far its clock is ahead of the others', from its next start on, ms. */
  skewMs = 0;
  #store: Store;
  #life: Life | undefined;
  #lives = 0;

  constructor(place: SimPlace, options: HostOptions) {
    this.#place = place;
    this.#options = options;
    this.name = `host-${options.index}`;
    this.#random = place.random.fork(this.name);
    this.hostId = hostIdFrom(this.#random.bytes(16));
    this.#papers = new SimPapers(signingKeyOf(this.#random.fork('key')));
    this.#store = createMemoryStore({ clock: place.clock });
  }

  get address(): HostAddress {
    const { index } = this.#options;
    return { hostId: this.hostId, ip: `10.0.${index >> 8}.${index & 255}`, port: PORT };
  }

  get store(): Store {
    return this.#store;
  }

  get running(): boolean {
    return this.#life !== undefined;
  }

  get server(): SimRangeServer | undefined {
    return this.#life?.server;
  }

  get peers(): Peers | undefined {
    return this.#life?.host.peers;
  }

  get admission(): ClientAdmission | undefined {
    return this.#life?.host.admission;
  }

  get state(): HostActor['state'] | 'down' {
    return this.#life?.host.actor.state ?? 'down';
  }

  start(): void {
    if (this.#life !== undefined) return;
    const { clock: world, network, hub, origin, registry, kept } = this.#place;
    const log = spokenBy(this.name, this.#place.log);
    this.#lives += 1;
    const random = this.#random.fork(`life ${this.#lives}`);
    const { hostId } = this;
    const papers = this.#papers;
    const clock = new ProcessClock(world, this.skewMs);
    const bus = hub.bus(hostId, { logger: log, process: clock });
    const node = new SimNode(this.name, this.#options.bytesPerSec, clock);
    const walls = (): readonly [number, ...number[]] => this.#life?.host.walls() ?? [clock.wall()];
    const wall = () => walls()[0];
    const admit = createAdmission({
      selfHostId: hostId,
      swarm: SWARM,
      keys: () => papers.keys,
      clock: { wall },
      walls,
      isolated: () => this.state !== 'announced',
      onUnknownKey: (id) => {
        const publicKey = kept.keys.get(id);
        if (publicKey && bus.state === 'connected') papers.learnKeys([{ id, publicKey }]);
      },
    });
    const server = new SimRangeServer({ hostId, node, store: this.#store, admit });
    const hostWorld: HostWorld = {
      clock,
      random,
      bus,
      emit: this.#place.emitter(hostId, () => clock.alive),
      log,
      hostId,
      incarnation: Math.floor(random.next() * 2 ** 48),
      role: this.#options.role,
      store: this.#store,
      dataPlane: new SimDataPlane({ network, node, clock, wall, papers, find: this.#options.find }),
      origin: new SimOrigin(origin, { network, node, clock, random: random.fork('origin') }),
      metrics: silentHostMetrics,
      originReaders: 'all',
      starvedAfterMs: LIMITS.starvedAfterMs,
      alone: false,
      isPrivate: true,
    };
    const { ip, port } = this.address;
    const host = composeHost({
      world: hostWorld,
      registry,
      baseOf: registryBase,
      admission: { memoryMs: 30_000, graceMs: 600_000 },
      trust: papers,
      onBook: () => {},
      describe: () => ({
        ip,
        port,
        version: 'sim',
        uploading: server.uploading,
        slotsUp: server.slots,
      }),
    });
    this.#life = { clock, bus, node, server, host };
    host.start();
  }

  /** kill -9: nothing is said, nothing in flight is kept. */
  crash(): void {
    const life = this.#life;
    if (life === undefined) return;
    this.#life = undefined;
    life.clock.kill();
    void life.bus.close();
    this.#place.network.crash(life.node);
    for (const get of this.gets) if (get.state === 'running') get.state = 'crashed';
  }

  /** Starts again after a crash, over what was recorded. */
  async restart(): Promise<void> {
    this.crash();
    this.#store = await copyStore(this.#store, this.#place.clock);
    this.start();
  }

  /** Stops the process where it is, as SIGSTOP does, or lets it go on. */
  freeze(isFrozen: boolean): void {
    if (isFrozen) this.#life?.clock.freeze();
    else this.#life?.clock.thaw();
  }

  /** Leaves in good order. */
  async stop(): Promise<void> {
    const life = this.#life;
    if (life === undefined) return;
    await life.host.stop();
    this.crash();
  }

  /** Cuts the host off the bus, or joins it again. */
  cutBus(cut: boolean): void {
    this.#life?.bus.setConnected(!cut);
  }

  /** Cuts the machine off the network of bytes, or joins it again; nobody is told. */
  cutLink(cut: boolean): void {
    if (this.#life) this.#life.node.cut = cut;
  }

  /** Asks for content as a client of this host. */
  get(request: Partial<DownloadRequest> & { readonly resource: string }): SimGet {
    const life = this.#life;
    const abort = new AbortController();
    const get: SimGet = { host: this, abort, state: life === undefined ? 'crashed' : 'running' };
    this.gets.push(get);
    const whole: DownloadRequest = { headers: {}, noOrigin: false, maxStaleMs: 0, ...request };
    const ended = (state: 'done' | 'failed') => {
      if (get.state !== 'running') return;
      get.state = state;
      get.endedMs = this.#place.clock.now();
    };
    const begin = ({ host }: Life) =>
      host.downloads
        .get(whole, () => {}, abort.signal)
        .then(
          (result) => {
            get.result = result;
            ended('done');
          },
          (error: unknown) => {
            get.error = toShoalError(error);
            ended('failed');
          },
        );
    life?.clock.take(() => void begin(life));
    return get;
  }

  /** Reads content in order while it arrives, as a client of this host. @throws any ShoalError */
  stream(
    request: Partial<DownloadRequest> & { readonly resource: string },
    signal: AbortSignal,
    hooks: StreamHooks = { onResult: () => {} },
  ): AsyncGenerator<Uint8Array> | undefined {
    const whole: DownloadRequest = { headers: {}, noOrigin: false, maxStaleMs: 0, ...request };
    return this.#life?.host.downloads.stream(whole, hooks, signal);
  }
}
