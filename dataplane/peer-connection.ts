import type { X509Certificate } from 'node:crypto';
import { connect, type Socket, type TcpNetConnectOpts } from 'node:net';
import { connect as connectSecure, type TLSSocket } from 'node:tls';
import { ShoalError } from '../core/errors.ts';
import type { HostAddress } from '../core/host.ts';
import { onAbort } from '../core/on-abort.ts';
import type { Admission, ByteSink } from './data-plane.ts';
import { parseResponseHead, type ResponseHead } from './response-head.ts';

/** How long a child waits for a parent, each in milliseconds. */
export interface PeerTimes {
  readonly connectMs: number;
  /** From a request to its whole response head. */
  readonly firstByteMs: number;
  /** Without a byte of the body. */
  readonly idleMs: number;
}

/** What an encrypted connection is made with. */
export interface SecureChild {
  /** PEM, with the membership token in it. */
  readonly cert: string;
  readonly key: string;
  /** Whose certificate the parent shows. */
  readonly judge: (certificate: X509Certificate | undefined) => Admission;
}

/** Judges a response head; the body then goes to the sink it returns. May throw. */
export type OnHead = (head: ResponseHead) => ByteSink;

interface Exchange {
  readonly onHead: OnHead;
  readonly resolve: () => void;
  readonly reject: (error: unknown) => void;
  sink: ByteSink | undefined;
  bodyLeft: number;
  close: boolean;
}

const NO_BYTES = Buffer.alloc(0);

/** One HTTP/1.1 connection to a parent, one request at a time, its bytes read into one buffer that is used again. */
export class PeerConnection {
  readonly parent: HostAddress;
  readonly #socket: Socket;
  readonly #times: PeerTimes;
  readonly #onGone: (connection: PeerConnection) => void;
  readonly #opened: Promise<void>;
  #exchange: Exchange | undefined;
  #head: Buffer = NO_BYTES;
  #timer: NodeJS.Timeout | undefined;
  #paused = false;
  #usable = true;
  #answered = false;
  #requests = 0;

  /** @param onGone Called once, when the connection can carry no further request. */
  constructor(
    parent: HostAddress,
    secure: SecureChild | undefined,
    times: PeerTimes,
    bufferBytes: number,
    onGone: (connection: PeerConnection) => void,
  ) {
    this.parent = parent;
    this.#times = times;
    this.#onGone = onGone;
    const to = { host: parent.ip, port: parent.port, noDelay: true };
    this.#socket = secure === undefined ? this.#connect(to, bufferBytes) : this.#connectSecure(to, secure);
    this.#opened = new Promise((resolve, reject) => {
      this.#setTimer(times.connectMs, () => {
        reject(this.#unavailable('does not accept a connection'));
        this.destroy();
      });
      this.#socket.once(secure === undefined ? 'connect' : 'secureConnect', () => {
        clearTimeout(this.#timer);
        const refused = secure && this.#judge(secure);
        if (refused === undefined) return resolve();
        reject(refused);
        this.destroy(refused);
      });
      this.#socket.once('close', () => reject(this.#unavailable('refused the connection')));
      this.#socket.on('error', (cause) => {
        reject(this.#unavailable('cannot be reached', cause));
        this.#fail(this.#unavailable('broke the connection', cause));
      });
    });
    this.#opened.catch(() => {});
    this.#socket.on('end', () => this.#fail(this.#unavailable('closed the connection')));
    this.#socket.on('close', () => this.#fail(this.#unavailable('closed the connection')));
  }

  #connect(to: TcpNetConnectOpts, bufferBytes: number): Socket {
    const buffer = Buffer.allocUnsafeSlow(bufferBytes);
    const callback = (bytes: number) => this.#onBytes(buffer.subarray(0, bytes));
    return connect({ ...to, onread: { buffer, callback } });
  }

  /**
   * Each chunk has memory of its own: a TLS socket goes on filling a buffer given to it after it was told to stop. Who
   * is there is judged by the token in the certificate, as soon as the handshake has proven its key.
   */
  #connectSecure(to: TcpNetConnectOpts, { cert, key }: SecureChild): TLSSocket {
    const socket = connectSecure({ ...to, cert, key, minVersion: 'TLSv1.3', rejectUnauthorized: false });
    socket.on('data', (chunk: Buffer) => {
      if (!this.#onBytes(chunk)) socket.pause();
    });
    return socket;
  }

  /** No request goes to whoever is not the host that was meant. */
  #judge({ judge }: SecureChild): ShoalError | undefined {
    const verdict = judge((this.#socket as TLSSocket).getPeerX509Certificate());
    if (verdict.kind === 'admitted' && verdict.hostId === this.parent.hostId) return undefined;
    const why = verdict.kind === 'denied' ? verdict.why : verdict.kind;
    const code = verdict.kind === 'key-unknown' ? 'ERR_AUTH_KEY_UNKNOWN' : 'ERR_AUTH_DENIED';
    const message = `host ${this.parent.hostId} does not prove that it is that host: ${why}`;
    return new ShoalError(code, message, { details: this.#details() });
  }

  /** Whether it can carry another request. */
  get usable(): boolean {
    return this.#usable;
  }

  /** Whether a request went out on it before. */
  get used(): boolean {
    return this.#requests > 0;
  }

  /** Whether any byte of the current, or last, response arrived. */
  get answered(): boolean {
    return this.#answered;
  }

  /**
   * Sends one request and gives its body to the sink; a promise of the sink holds the parent back.
   * @throws ERR_PEER_UNAVAILABLE, ERR_PEER_STALLED, ERR_PEER_PROTOCOL, ERR_CANCELLED, and whatever `onHead` or the sink throws
   */
  async exchange(request: string, onHead: OnHead, signal: AbortSignal): Promise<void> {
    this.#answered = false;
    const cancel = () => this.destroy(transferCancelled(signal));
    const unlisten = onAbort(signal, cancel);
    try {
      if (signal.aborted) cancel();
      await this.#opened.catch((error: unknown) => {
        throw signal.aborted ? transferCancelled(signal) : error;
      });
      await new Promise<void>((resolve, reject) => {
        if (!this.#usable) return reject(this.#unavailable('closed the connection'));
        this.#requests += 1;
        this.#exchange = { onHead, resolve, reject, sink: undefined, bodyLeft: 0, close: false };
        this.#socket.ref();
        this.#setTimer(this.#times.firstByteMs, () => this.#stalled());
        this.#socket.write(request, 'latin1');
      });
    } finally {
      unlisten();
    }
  }

  /** Between exchanges: does not keep the process alive, and closes after `afterMs`. */
  park(afterMs: number): void {
    this.#socket.unref();
    this.#setTimer(afterMs, () => this.destroy());
    this.#timer?.unref();
  }

  destroy(reason?: ShoalError): void {
    this.#fail(reason ?? new ShoalError('ERR_CANCELLED', 'the connection was closed here'));
  }

  /** Called with every read; false stops reading until `resume`. */
  #onBytes(chunk: Buffer): boolean {
    const exchange = this.#exchange;
    if (exchange === undefined) {
      this.#fail(this.#protocol('sent bytes that nobody asked for'));
      return false;
    }
    this.#answered = true;
    try {
      const body = exchange.sink === undefined ? this.#readHead(exchange, chunk) : chunk;
      if (body !== undefined) this.#takeBody(exchange, body);
    } catch (error) {
      this.#fail(error);
    }
    return !this.#paused && this.#usable;
  }

  /** The body bytes behind the head, or undefined while the head is not whole. */
  #readHead(exchange: Exchange, chunk: Buffer): Buffer | undefined {
    const bytes = this.#head.length === 0 ? chunk : Buffer.concat([this.#head, chunk]);
    const parsed = parseResponseHead(bytes);
    if (parsed === 'malformed') throw this.#protocol('sent a malformed response');
    if (parsed === 'incomplete') {
      this.#head = Buffer.from(bytes);
      return undefined;
    }
    this.#head = NO_BYTES;
    exchange.bodyLeft = parsed.head.contentLength;
    exchange.close = parsed.head.close;
    exchange.sink = exchange.onHead(parsed.head);
    this.#setTimer(this.#times.idleMs, () => this.#stalled());
    return bytes.subarray(parsed.headBytes);
  }

  #takeBody(exchange: Exchange, bytes: Buffer): void {
    if (bytes.length > exchange.bodyLeft) throw this.#protocol('sent more than it announced');
    exchange.bodyLeft -= bytes.length;
    const taken = bytes.length === 0 ? undefined : exchange.sink?.(bytes);
    if (taken === undefined) {
      this.#taken(exchange);
      return;
    }
    // The buffer is the sink's until then, and the parent is not to blame for the time.
    this.#paused = true;
    clearTimeout(this.#timer);
    taken.then(
      () => {
        this.#paused = false;
        if (this.#exchange !== exchange) return;
        this.#setTimer(this.#times.idleMs, () => this.#stalled());
        this.#taken(exchange);
        if (this.#usable) this.#socket.resume();
      },
      (error: unknown) => this.#fail(error),
    );
  }

  #taken(exchange: Exchange): void {
    if (exchange.bodyLeft > 0) {
      this.#timer?.refresh();
      return;
    }
    clearTimeout(this.#timer);
    this.#exchange = undefined;
    if (exchange.close) this.destroy();
    exchange.resolve();
  }

  #setTimer(afterMs: number, run: () => void): void {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(run, afterMs);
  }

  #stalled(): void {
    const message = `host ${this.parent.hostId} sends nothing`;
    this.#fail(new ShoalError('ERR_PEER_STALLED', message, { details: this.#details() }));
  }

  #unavailable(what: string, cause?: unknown): ShoalError {
    const message = `host ${this.parent.hostId} ${what}`;
    return new ShoalError('ERR_PEER_UNAVAILABLE', message, { cause, details: this.#details() });
  }

  #protocol(what: string): ShoalError {
    return new ShoalError('ERR_PEER_PROTOCOL', `host ${this.parent.hostId} ${what}`, {
      details: this.#details(),
    });
  }

  #details(): Readonly<Record<string, unknown>> {
    return { hostId: this.parent.hostId, ip: this.parent.ip, port: this.parent.port };
  }

  #fail(error: unknown): void {
    clearTimeout(this.#timer);
    const exchange = this.#exchange;
    this.#exchange = undefined;
    const first = this.#usable;
    this.#usable = false;
    this.#socket.destroy();
    exchange?.reject(error);
    if (first) this.#onGone(this);
  }
}

/** What an aborted transfer rejects with. */
export function transferCancelled(signal: AbortSignal): ShoalError {
  return new ShoalError('ERR_CANCELLED', 'the transfer was cancelled', { cause: signal.reason });
}
