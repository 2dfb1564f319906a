import type { Socket } from 'node:net';
import { TLSSocket } from 'node:tls';
import type { HostId } from '../core/ids.ts';
import type { Admit } from './admission.ts';
import { BOUNDS } from './bounds.ts';

/** What the server remembers of one connection. */
interface Connection {
  hostId: HostId | undefined;
  busy: boolean;
  readonly openedAt: number;
}

/** What a request may do: be answered for a member, be refused with a status, or cost it its connection. */
type Entry =
  | { readonly kind: 'admitted'; readonly hostId: HostId; readonly last: boolean }
  | { readonly kind: 'refused'; readonly status: 401 | 425; readonly why: string }
  | { readonly kind: 'overlapping' };

/**
 * Remembers, per connection, who proved to be at its other end; one request at a time. Where there are too many, the one
 * that has been idle longest makes room, of those first whose other end has proven nothing; where all are at work, the new
 * one is closed.
 */
export class Connections {
  readonly #admit: Admit;
  readonly #most: number;
  readonly #known = new Map<Socket, Connection>();
  /** Members’ connections without a request, and those of whoever has proven nothing yet: the longest idle first. */
  readonly #idle = new Set<Socket>();
  readonly #strangers = new Set<Socket>();
  /** Connections that HTTP is not spoken on yet, by where they come from: TLS makes a socket of its own inside. */
  readonly #unsaid = new Map<string, Socket>();

  constructor(admit: Admit, most: number) {
    this.#admit = admit;
    this.#most = most;
  }

  /** Takes in a connection that has said nothing yet; false where there is no room, and it was closed. */
  accepted(socket: Socket): boolean {
    if (this.#known.size >= this.#most && !this.closeIdlest()) {
      socket.destroy();
      return false;
    }
    this.#unsaid.set(nameOf(socket), socket);
    this.#add(socket);
    return true;
  }

  /** HTTP is about to be spoken on it, or on what is inside of it. */
  opened(socket: Socket): void {
    const name = nameOf(socket);
    const outer = this.#unsaid.get(name);
    this.#unsaid.delete(name);
    if (this.#known.has(socket)) return;
    if (outer !== undefined) this.#closed(outer);
    this.#add(socket);
  }

  #add(socket: Socket): void {
    this.#known.set(socket, { hostId: undefined, busy: false, openedAt: performance.now() });
    this.#strangers.add(socket);
    const name = nameOf(socket);
    socket.once('close', () => {
      this.#closed(socket);
      if (this.#unsaid.get(name) === socket) this.#unsaid.delete(name);
    });
  }

  /** Closes the connection that has been idle longest; returns whether there was one. */
  closeIdlest(): boolean {
    const [socket] = this.#strangers.size > 0 ? this.#strangers : this.#idle;
    if (socket === undefined) return false;
    this.#closed(socket);
    socket.destroy();
    return true;
  }

  closeAll(): void {
    for (const socket of [...this.#known.keys()]) socket.destroy();
  }

  #closed(socket: Socket): void {
    this.#known.delete(socket);
    this.#idle.delete(socket);
    this.#strangers.delete(socket);
  }

  /** To be followed by `leave` when the answer is out, unless the request overlaps another. */
  enter(socket: Socket, authorization: string | undefined): Entry {
    const connection = this.#known.get(socket);
    if (connection === undefined || connection.busy) return { kind: 'overlapping' };
    connection.busy = true;
    this.#idle.delete(socket);
    this.#strangers.delete(socket);
    if (connection.hostId === undefined) {
      const admission =
        socket instanceof TLSSocket
          ? this.#admit.byCertificate(socket.getPeerX509Certificate())
          : this.#admit.byProof(authorization);
      if (admission.kind === 'denied') return { kind: 'refused', status: 401, why: admission.why };
      if (admission.kind === 'key-unknown') {
        return { kind: 'refused', status: 425, why: `unknown scheduler key ${admission.keyId}` };
      }
      connection.hostId = admission.hostId;
    }
    const last = performance.now() - connection.openedAt > BOUNDS.connectionAgeMs;
    return { kind: 'admitted', hostId: connection.hostId, last };
  }

  leave(socket: Socket): void {
    const connection = this.#known.get(socket);
    if (connection === undefined) return;
    connection.busy = false;
    (connection.hostId === undefined ? this.#strangers : this.#idle).add(socket);
  }
}

function nameOf({ remoteAddress, remotePort }: Socket): string {
  return `${remoteAddress} ${remotePort}`;
}
