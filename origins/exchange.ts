import type { ClientRequest, IncomingHttpHeaders, IncomingMessage } from 'node:http';
import { onAbort } from '../core/on-abort.ts';
import { type OriginConnections, timedOut } from './connections.ts';
import type { OriginSink } from './origin.ts';

/** A request whose headers have come and whose body waits. Must be pumped or discarded. */
export interface Exchange {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  /**
   * Passes the body on with back-pressure and resolves with its bytes; `limit` ends it there and closes the
   * connection. Rejects with what the sink threw, the signal's reason, or the error of the connection.
   */
  pump(sink: OriginSink, signal: AbortSignal, limit?: number): Promise<number>;
  /** Closes the connection. */
  discard(): void;
}

/** What a sink threw, so that it is told from an error of the connection. */
export class SinkError extends Error {
  constructor(cause: unknown) {
    super('the sink failed', { cause });
  }
}

/** What is sent other than a GET. */
export interface RequestForm {
  readonly method?: 'GET' | 'HEAD' | 'POST';
  readonly body?: string;
}

/** Sends one request; redirects are the caller's. Rejects with Node's error, or the signal's reason. */
export function openExchange(
  connections: OriginConnections,
  url: URL,
  headers: Readonly<Record<string, string>>,
  signal: AbortSignal,
  form: RequestForm = {},
): Promise<Exchange> {
  const { method = 'GET' } = form;
  return new Promise((resolve, reject) => {
    signal.throwIfAborted();
    const request = connections.request(url, method, headers);
    const stall = new Stall(connections.stallMs, request);
    let body: BodyPump | undefined;
    const unlisten = onAbort(signal, () => request.destroy(asError(signal.reason)));
    const heard = () => {
      unlisten();
      stall.end();
    };
    // A request is over only with its connection: what goes wrong after the headers is the body's.
    request.on('error', (error) => {
      heard();
      body?.end(error);
      reject(signal.aborted ? signal.reason : error);
    });
    // An answer may come before all of the question is sent.
    request.once('finish', () => body === undefined && stall.begin());
    request.once('response', (response) => {
      heard();
      const pump = new BodyPump(response, stall);
      body = pump;
      resolve({
        status: response.statusCode ?? 0,
        headers: response.headers,
        pump: (sink, pumpSignal, limit) => pump.pump(sink, pumpSignal, limit),
        discard: () => pump.stop(new Error('discarded')),
      });
    });
    request.end(form.body);
  });
}

/** Gives a request up where nothing comes for too long while something is waited for. */
class Stall {
  readonly #stallMs: number;
  readonly #request: ClientRequest;
  #timer: NodeJS.Timeout | undefined;

  constructor(stallMs: number, request: ClientRequest) {
    this.#stallMs = stallMs;
    this.#request = request;
  }

  /** Waits from now on, or again. */
  begin(): void {
    if (this.#timer !== undefined) return void this.#timer.refresh();
    const late = () => this.#request.destroy(timedOut(`nothing came for ${this.#stallMs} ms`));
    this.#timer = setTimeout(late, this.#stallMs);
  }

  /** Nothing is waited for. */
  end(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
  }
}

/** Carries one body from the connection to a sink. */
class BodyPump {
  readonly #response: IncomingMessage;
  readonly #stall: Stall;
  #sink: OriginSink | undefined;
  #limit = Number.POSITIVE_INFINITY;
  #bytes = 0;
  /** The sink has a chunk and has not given it back. */
  #busy = false;
  #ended = false;
  #failure: unknown;
  #settle: (() => void) | undefined;

  constructor(response: IncomingMessage, stall: Stall) {
    this.#response = response;
    this.#stall = stall;
    response.on('error', (error) => this.end(error));
    response.once('end', () => this.end(undefined));
    response.once('close', () => this.end(new Error('the connection was closed')));
  }

  async pump(sink: OriginSink, signal: AbortSignal, limit = Number.POSITIVE_INFINITY): Promise<number> {
    if (signal.aborted) {
      this.stop(signal.reason);
      throw signal.reason;
    }
    this.#sink = sink;
    this.#limit = limit;
    const unlisten = onAbort(signal, () => this.stop(signal.reason));
    try {
      await new Promise<void>((resolve) => {
        this.#settle = resolve;
        if (limit === 0) this.stop(undefined);
        else if (this.#ended) this.#finish();
        else this.#start();
      });
    } finally {
      unlisten();
    }
    if (signal.aborted) throw signal.reason;
    if (this.#failure !== undefined) throw this.#failure;
    return this.#bytes;
  }

  #start(): void {
    this.#stall.begin();
    this.#response.on('data', (chunk: Buffer) => this.#data(chunk));
  }

  #data(chunk: Buffer): void {
    if (this.#ended || this.#sink === undefined) return;
    this.#stall.begin();
    const left = this.#limit - this.#bytes;
    const part = chunk.length > left ? chunk.subarray(0, left) : chunk;
    this.#bytes += part.length;
    try {
      const given = this.#sink(part);
      if (given !== undefined) this.#wait(given);
      else if (this.#bytes >= this.#limit) this.stop(undefined);
    } catch (error) {
      this.stop(new SinkError(error));
    }
  }

  #wait(given: Promise<void>): void {
    this.#busy = true;
    this.#response.pause();
    this.#stall.end();
    given.then(
      () => {
        this.#busy = false;
        if (this.#ended) return this.#finish();
        if (this.#bytes >= this.#limit) return this.stop(undefined);
        this.#stall.begin();
        this.#response.resume();
      },
      (error: unknown) => {
        this.#busy = false;
        this.#failure ??= new SinkError(error);
        if (this.#ended) this.#finish();
        else this.stop(this.#failure);
      },
    );
  }

  /** The body is over, or the connection is. */
  end(error: Error | undefined): void {
    if (this.#ended) return;
    this.#ended = true;
    this.#failure ??= error;
    if (!this.#busy) this.#finish();
  }

  /** Closes the connection; without an error what was passed on counts as the whole. */
  stop(error: unknown): void {
    if (this.#ended) return;
    this.#ended = true;
    this.#failure ??= error;
    this.#response.destroy();
    if (!this.#busy) this.#finish();
  }

  #finish(): void {
    this.#stall.end();
    this.#settle?.();
  }
}

function asError(value: unknown): Error {
  return value instanceof Error ? value : new Error(String(value));
}
