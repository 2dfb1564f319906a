import { type Clock, sleep } from '../core/clock.ts';
import { ShoalError } from '../core/errors.ts';
import type { HostAddress } from '../core/host.ts';
import type { HostId, TaskId } from '../core/ids.ts';
import { LIMITS } from '../core/limits.ts';
import type { ByteRange } from '../core/ranges.ts';
import type { Admit } from '../dataplane/admission.ts';
import { formatAuthorization } from '../dataplane/authorization.ts';
import type { ByteSink, ContentRequest, DataPlane, HaveReply } from '../dataplane/data-plane.ts';
import type { Store, StoredTask } from '../storage/store.ts';
import { CHUNK_BYTES, cancelled, chunksOf, takenUp, travel } from './exchange.ts';
import type { SimNetwork, SimNode, StreamFault } from './network.ts';
import type { SimPapers } from './papers.ts';

/** What the parent's side of a simulated host is made of. */
export interface SimServerParts {
  readonly hostId: HostId;
  readonly node: SimNode;
  readonly store: Store;
  readonly admit: Admit;
}

/** The parent's side of one simulated host: its store, and as many uploads at once as it has slots. */
export class SimRangeServer {
  readonly hostId: HostId;
  readonly node: SimNode;
  readonly admit: Admit;
  readonly slots = LIMITS.slotsUp;
  readonly #store: Store;
  uploading = 0;
  sentBytes = 0;
  /** Flips a bit in every chunk it sends. */
  lies = false;
  /** Sends a byte a second. */
  trickles = false;

  constructor({ hostId, node, store, admit }: SimServerParts) {
    this.hostId = hostId;
    this.node = node;
    this.admit = admit;
    this.#store = store;
  }

  shelf(taskId: TaskId): Promise<StoredTask | undefined> {
    return this.#store.open(taskId);
  }

  get chunkBytes(): number {
    return this.trickles ? 1 : CHUNK_BYTES;
  }

  async read(stored: StoredTask, start: number, end: number, clock: Clock): Promise<Uint8Array> {
    if (this.trickles) await sleep(clock, 1_000);
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

interface DataPlaneParts {
  readonly network: SimNetwork;
  readonly node: SimNode;
  readonly clock: Clock;
  /** What this host proves itself by, ms since 1970. */
  readonly wall: () => number;
  readonly papers: SimPapers;
  readonly find: FindServer;
}

/** The data plane of one simulated host: the bytes of other hosts' stores over simulated links. */
export class SimDataPlane implements DataPlane {
  readonly #network: SimNetwork;
  readonly #node: SimNode;
  readonly #parts: DataPlaneParts;
  /** Servers that this host has proven its membership to; a connection is kept, and proves it once. */
  readonly #admittedBy = new WeakSet<SimRangeServer>();
  #provenMs = 0;

  constructor(parts: DataPlaneParts) {
    this.#parts = parts;
    this.#network = parts.network;
    this.#node = parts.node;
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
      pull: chunksOf(
        range,
        (start, end) => server.read(stored, start, end, this.#network.clock),
        () => server.chunkBytes,
      ),
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
    const { clock, find } = this.#parts;
    const way = { from: this.#node, to: find(parent)?.node, clock };
    const node = await travel(this.#network, way, 'ERR_PEER_UNAVAILABLE', signal);
    await takenUp(node, clock, signal);
    const server = find(parent);
    if (server?.hostId !== parent.hostId) {
      throw new ShoalError('ERR_PEER_UNAVAILABLE', `host ${parent.hostId} is not there any more`);
    }
    this.#prove(server);
    return server;
  }

  /** @throws ERR_AUTH_DENIED, ERR_AUTH_KEY_UNKNOWN */
  #prove(server: SimRangeServer): void {
    if (this.#admittedBy.has(server)) return;
    const { wall, papers } = this.#parts;
    const { key, token } = papers;
    if (token === undefined) throw new ShoalError('ERR_AUTH_DENIED', 'this host has no membership token yet');
    this.#provenMs = Math.max(this.#provenMs + 1, Math.trunc(wall()));
    const proof = formatAuthorization(key, token, server.hostId, this.#provenMs);
    const admission = server.admit.byProof(proof);
    if (admission.kind === 'admitted') this.#admittedBy.add(server);
    else if (admission.kind === 'denied') throw new ShoalError('ERR_AUTH_DENIED', admission.why);
    else throw new ShoalError('ERR_AUTH_KEY_UNKNOWN', `host ${server.hostId} does not know the key yet`);
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
