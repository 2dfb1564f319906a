import { ShoalError } from '../core/errors.ts';
import type { HostAddress } from '../core/host.ts';
import type { HostId, TaskId } from '../core/ids.ts';
import { LIMITS } from '../core/limits.ts';
import type { ByteRange } from '../core/ranges.ts';
import type { ByteSink, ContentRequest, DataPlane, HaveReply } from '../dataplane/data-plane.ts';
import type { Store, StoredTask } from '../storage/store.ts';
import { cancelled, chunksOf, travel } from './exchange.ts';
import type { SimNetwork, SimNode, StreamFault } from './network.ts';

/** The parent's side of one simulated host: its store, and as many uploads at once as it has slots. */
export class SimRangeServer {
  readonly hostId: HostId;
  readonly node: SimNode;
  readonly slots: number;
  readonly #store: Store;
  uploading = 0;
  sentBytes = 0;
  /** Flips a bit in every chunk it sends. */
  lies = false;

  constructor(hostId: HostId, node: SimNode, store: Store, slots: number = LIMITS.slotsUp) {
    this.hostId = hostId;
    this.node = node;
    this.slots = slots;
    this.#store = store;
  }

  shelf(taskId: TaskId): Promise<StoredTask | undefined> {
    return this.#store.open(taskId);
  }

  async read(stored: StoredTask, start: number, end: number): Promise<Uint8Array> {
    const chunk = new Uint8Array(end - start);
    await stored.read(chunk, start);
    this.sentBytes += chunk.length;
    if (this.lies) chunk[0] = (chunk[0] ?? 0) ^ 1;
    return chunk;
  }
}

/** Finds the server that listens at an address now. */
export type FindServer = (address: HostAddress) => SimRangeServer | undefined;

const FAULTS = {
  unreachable: 'ERR_PEER_UNAVAILABLE',
  stalled: 'ERR_PEER_STALLED',
} as const satisfies Record<Exclude<StreamFault, 'aborted'>, string>;

/** The data plane of one simulated host: the bytes of other hosts' stores over simulated links. */
export class SimDataPlane implements DataPlane {
  readonly #network: SimNetwork;
  readonly #node: SimNode;
  readonly #find: FindServer;

  constructor(network: SimNetwork, node: SimNode, find: FindServer) {
    this.#network = network;
    this.#node = node;
    this.#find = find;
  }

  async fetch(
    request: { readonly parent: HostAddress; readonly taskId: TaskId; readonly range: ByteRange },
    sink: ByteSink,
    signal: AbortSignal,
  ): Promise<void> {
    const { parent, taskId, range } = request;
    const server = await this.#reach(parent, signal);
    if (server.uploading >= server.slots) throw refused('ERR_PEER_BUSY', parent, 503);
    server.uploading += 1;
    const stored = await server.shelf(taskId);
    const release = stored?.pin();
    const close = () => {
      server.uploading -= 1;
      release?.();
    };
    if (stored === undefined || !holds(stored, range)) {
      close();
      throw refused('ERR_PEER_MISSING', parent, 404);
    }
    const fault = await this.#network.stream({
      from: server.node,
      to: this.#node,
      pull: chunksOf(range, (start, end) => server.read(stored, start, end)),
      sink,
      signal,
      idleMs: LIMITS.idleMs,
      onClose: close,
    });
    if (fault === 'aborted') throw cancelled(signal);
    if (fault !== undefined) throw new ShoalError(FAULTS[fault], `host ${parent.hostId} is ${fault}`);
  }

  async have({ parent, taskId }: ContentRequest, signal: AbortSignal): Promise<HaveReply> {
    const server = await this.#reach(parent, signal);
    const stored = await server.shelf(taskId);
    if (stored === undefined) throw refused('ERR_PEER_MISSING', parent, 404);
    const have = stored.have.clone();
    const hashes = [...have.ones()].flatMap((piece) => {
      const hash = stored.hash(piece);
      return hash === undefined ? [] : [{ piece, hash }];
    });
    const { length, pieceLength, audience, home } = stored.record;
    return { length, pieceLength, have, hashes, audience, home };
  }

  close(): Promise<void> {
    return Promise.resolve();
  }

  async #reach(parent: HostAddress, signal: AbortSignal): Promise<SimRangeServer> {
    const way = { from: this.#node, to: this.#find(parent)?.node, clock: this.#network.clock };
    await travel(this.#network, way, 'ERR_PEER_UNAVAILABLE', signal);
    const server = this.#find(parent);
    if (server?.hostId === parent.hostId) return server;
    throw new ShoalError('ERR_PEER_UNAVAILABLE', `host ${parent.hostId} is not there any more`);
  }
}

function refused(
  code: 'ERR_PEER_BUSY' | 'ERR_PEER_MISSING',
  parent: HostAddress,
  status: number,
): ShoalError {
  return new ShoalError(code, `host ${parent.hostId} answered ${status}`);
}

function holds({ have, record }: StoredTask, range: ByteRange): boolean {
  const first = Math.floor(range.start / record.pieceLength);
  const last = Math.ceil(range.end / record.pieceLength);
  return range.end <= (record.length ?? range.end) && have.hasRun(first, last - first);
}
