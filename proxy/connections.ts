import type { Socket } from 'node:net';

interface ConnectionLimits {
  /** Connections in all. */
  readonly most: number;
  /** Connections of one remote address. */
  readonly mostPerAddress: number;
  /** Requests of one connection under way at once: clients may send the next before the last was answered. */
  readonly mostRequests: number;
}

interface Row {
  readonly socket: Socket;
  readonly address: string;
  requests: number;
}

/**
 * The connections of a port. Where there are too many, the one that has been idle longest makes room, so that whoever
 * holds thousands of idle ones open keeps nobody else out; where all are at work, the new one is refused.
 */
export class PortConnections {
  readonly #limits: ConnectionLimits;
  readonly #rows = new Map<Socket, Row>();
  readonly #counts = new Map<string, number>();
  /** By how long they have been idle, the longest first. */
  readonly #idle = new Set<Row>();
  readonly #idleOf = new Map<string, Set<Row>>();

  constructor(limits: ConnectionLimits) {
    this.#limits = limits;
  }

  get count(): number {
    return this.#rows.size;
  }

  /** Takes in a new connection; false where there is no room, and it was destroyed. */
  add(socket: Socket): boolean {
    const address = socket.remoteAddress ?? '';
    const ofAddress = this.#counts.get(address) ?? 0;
    const isFull = ofAddress >= this.#limits.mostPerAddress;
    if (isFull || this.#rows.size >= this.#limits.most) {
      const [oldest] = (isFull ? this.#idleOf.get(address) : this.#idle) ?? [];
      if (oldest === undefined) {
        socket.destroy();
        return false;
      }
      this.#drop(oldest);
      oldest.socket.destroy();
    }
    const row: Row = { socket, address, requests: 0 };
    this.#rows.set(socket, row);
    this.#counts.set(address, (this.#counts.get(address) ?? 0) + 1);
    this.#rest(row);
    socket.once('close', () => this.#drop(row));
    return true;
  }

  /** A request begins; false where its connection has too many under way. */
  begin(socket: Socket): boolean {
    const row = this.#rows.get(socket);
    if (row === undefined) return true;
    this.#wake(row);
    row.requests += 1;
    return row.requests <= this.#limits.mostRequests;
  }

  /** Whether a request of it is under way. */
  isAtWork(socket: Socket): boolean {
    return (this.#rows.get(socket)?.requests ?? 0) > 0;
  }

  /** A request was answered. */
  end(socket: Socket): void {
    const row = this.#rows.get(socket);
    if (row === undefined) return;
    row.requests -= 1;
    if (row.requests === 0) this.#rest(row);
  }

  /** Closes the one that has been idle longest, where there is any. */
  closeIdlest(): void {
    const [oldest] = this.#idle;
    if (oldest === undefined) return;
    this.#drop(oldest);
    oldest.socket.destroy();
  }

  /** Closes those without a request under way. */
  closeIdle(): void {
    for (const row of [...this.#idle]) row.socket.destroy();
  }

  closeAll(): void {
    for (const socket of [...this.#rows.keys()]) socket.destroy();
  }

  #rest(row: Row): void {
    this.#idle.add(row);
    const idle = this.#idleOf.get(row.address) ?? new Set();
    idle.add(row);
    this.#idleOf.set(row.address, idle);
  }

  #wake(row: Row): void {
    this.#idle.delete(row);
    const idle = this.#idleOf.get(row.address);
    idle?.delete(row);
    if (idle?.size === 0) this.#idleOf.delete(row.address);
  }

  #drop(row: Row): void {
    if (!this.#rows.delete(row.socket)) return;
    this.#wake(row);
    const left = (this.#counts.get(row.address) ?? 1) - 1;
    if (left === 0) this.#counts.delete(row.address);
    else this.#counts.set(row.address, left);
  }
}
