import { ShoalError } from '../core/errors.ts';
import type { HostAddress } from '../core/host.ts';
import { onAbort } from '../core/on-abort.ts';
import { BOUNDS } from './bounds.ts';
import { PeerConnection, type PeerTimes, type SecureChild, transferCancelled } from './peer-connection.ts';

/** Bounds of a pool. */
export interface PoolOptions {
  readonly times: PeerTimes;
  readonly bufferBytes: number;
  readonly perParent: number;
  readonly inAll: number;
}

interface Waiter {
  readonly parent: HostAddress;
  readonly secure: SecureChild | undefined;
  readonly serve: (connection: PeerConnection) => void;
  readonly refuse: (error: ShoalError) => void;
}

/** Connections to parents, kept alive between transfers; each carries one transfer at a time. */
export class ConnectionPool {
  readonly #options: PoolOptions;
  /** Open connections by parent; an address that changed hands is another parent. */
  readonly #open = new Map<string, Set<PeerConnection>>();
  /** Parked connections, the longest parked first. */
  readonly #idle = new Set<PeerConnection>();
  readonly #waiting = new Set<Waiter>();
  #count = 0;
  #closed = false;

  constructor(options: PoolOptions) {
    this.#options = options;
  }

  /**
   * A connection for one transfer, to be given back with `release`; waits for one where all are in use.
   * @param secure Set for an encrypted one.
   * @param fresh Not one that was used before.
   * @throws ERR_PEER_BUSY, ERR_CANCELLED
   */
  async acquire(
    parent: HostAddress,
    secure: SecureChild | undefined,
    fresh: boolean,
    signal: AbortSignal,
  ): Promise<PeerConnection> {
    if (this.#closed) throw closed();
    if (signal.aborted) throw transferCancelled(signal);
    return this.#find(parent, secure, fresh) ?? (await this.#wait(parent, secure, signal));
  }

  /** Takes a connection back, to be used again where it can be. */
  release(connection: PeerConnection): void {
    if (!connection.usable) return;
    if (this.#closed) {
      connection.destroy();
      return;
    }
    connection.park(BOUNDS.childIdleMs);
    this.#idle.add(connection);
    this.#serveWaiting();
  }

  close(): void {
    this.#closed = true;
    for (const waiter of [...this.#waiting]) waiter.refuse(closed());
    for (const connections of [...this.#open.values()]) {
      for (const connection of [...connections]) connection.destroy();
    }
  }

  #find(parent: HostAddress, secure: SecureChild | undefined, fresh: boolean): PeerConnection | undefined {
    const siblings = this.#open.get(keyOf(parent, secure)) ?? new Set<PeerConnection>();
    const parked = [...siblings].filter((connection) => this.#idle.has(connection));
    if (fresh) for (const connection of parked) connection.destroy();
    const ready = fresh ? undefined : parked.at(-1);
    if (ready !== undefined) {
      this.#idle.delete(ready);
      return ready;
    }
    if (siblings.size >= this.#options.perParent) return undefined;
    if (this.#count >= this.#options.inAll) {
      const [oldest] = this.#idle;
      if (oldest === undefined) return undefined;
      oldest.destroy();
    }
    return this.#connect(parent, secure);
  }

  #connect(parent: HostAddress, secure: SecureChild | undefined): PeerConnection {
    const key = keyOf(parent, secure);
    const { times, bufferBytes } = this.#options;
    const connection = new PeerConnection(parent, secure, times, bufferBytes, (gone) =>
      this.#forget(key, gone),
    );
    const siblings = this.#open.get(key);
    if (siblings === undefined) this.#open.set(key, new Set([connection]));
    else siblings.add(connection);
    this.#count += 1;
    return connection;
  }

  #forget(key: string, connection: PeerConnection): void {
    const siblings = this.#open.get(key);
    this.#idle.delete(connection);
    if (siblings?.delete(connection) !== true) return;
    this.#count -= 1;
    if (siblings.size === 0) this.#open.delete(key);
    if (this.#waiting.size > 0) queueMicrotask(() => this.#serveWaiting());
  }

  #wait(parent: HostAddress, secure: SecureChild | undefined, signal: AbortSignal): Promise<PeerConnection> {
    return new Promise((resolve, reject) => {
      const settle = () => {
        clearTimeout(timer);
        unlisten();
        this.#waiting.delete(waiter);
      };
      const waiter: Waiter = {
        parent,
        secure,
        serve(connection) {
          settle();
          resolve(connection);
        },
        refuse(error) {
          settle();
          reject(error);
        },
      };
      const timer = setTimeout(() => {
        waiter.refuse(new ShoalError('ERR_PEER_BUSY', `all connections to host ${parent.hostId} are in use`));
      }, this.#options.times.firstByteMs);
      const unlisten = onAbort(signal, () => waiter.refuse(transferCancelled(signal)));
      this.#waiting.add(waiter);
    });
  }

  #serveWaiting(): void {
    if (this.#closed) return;
    for (const waiter of [...this.#waiting]) {
      const connection = this.#find(waiter.parent, waiter.secure, false);
      if (connection !== undefined) waiter.serve(connection);
    }
  }
}

function closed(): ShoalError {
  return new ShoalError('ERR_CANCELLED', 'the data plane is closed');
}

function keyOf({ hostId, ip, port }: HostAddress, secure: SecureChild | undefined): string {
  return `${hostId} ${ip} ${port} ${secure === undefined ? 'clear' : 'secure'}`;
}
