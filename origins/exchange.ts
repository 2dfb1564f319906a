import type { IncomingHttpHeaders } from 'node:http';
import type { Dispatcher } from 'undici';
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

/** Sends one request; redirects are the caller's. Rejects with undici's error, or the signal's reason. */
export function openExchange(
  dispatcher: Dispatcher,
  url: URL,
  headers: Readonly<Record<string, string>>,
  signal: AbortSignal,
  form: RequestForm = {},
): Promise<Exchange> {
  const { method = 'GET' } = form;
  return new Promise((resolve, reject) => {
    signal.throwIfAborted();
    const body = new BodyPump();
    const onAbort = () => {
      body.stop(signal.reason);
      reject(signal.reason);
    };
    signal.addEventListener('abort', onAbort, { once: true });
    const heard = () => signal.removeEventListener('abort', onAbort);
    dispatcher.dispatch(
      {
        origin: url.origin,
        path: `${url.pathname}${url.search}`,
        method,
        body: form.body ?? null,
        headers: { ...headers },
      },
      {
        onRequestStart: (controller) => body.started(controller),
        onResponseStart: (controller, status, responseHeaders) => {
          if (status < 200) return;
          heard();
          controller.pause();
          resolve({
            status,
            headers: responseHeaders,
            pump: (sink, pumpSignal, limit) => body.pump(sink, pumpSignal, limit),
            discard: () => body.stop(new Error('discarded')),
          });
        },
        onResponseData: (_controller, chunk) => body.data(chunk),
        onResponseEnd: () => body.end(undefined),
        onResponseError: (_controller, error) => {
          heard();
          body.end(error);
          reject(signal.aborted ? signal.reason : error);
        },
      },
    );
  });
}

/** Carries one body from the connection to a sink. */
class BodyPump {
  #controller: Dispatcher.DispatchController | undefined;
  #sink: OriginSink | undefined;
  #limit = Number.POSITIVE_INFINITY;
  #bytes = 0;
  /** The sink has a chunk and has not given it back. */
  #busy = false;
  #ended = false;
  #stopped: unknown;
  #failure: unknown;
  #settle: (() => void) | undefined;

  started(controller: Dispatcher.DispatchController): void {
    this.#controller = controller;
    if (this.#stopped !== undefined) controller.abort(asError(this.#stopped));
  }

  async pump(sink: OriginSink, signal: AbortSignal, limit = Number.POSITIVE_INFINITY): Promise<number> {
    if (signal.aborted) {
      this.stop(signal.reason);
      throw signal.reason;
    }
    this.#sink = sink;
    this.#limit = limit;
    const onAbort = () => this.stop(signal.reason);
    signal.addEventListener('abort', onAbort, { once: true });
    try {
      await new Promise<void>((resolve) => {
        this.#settle = resolve;
        if (limit === 0) this.stop(undefined);
        else if (this.#ended) this.#finish();
        else this.#controller?.resume();
      });
    } finally {
      signal.removeEventListener('abort', onAbort);
    }
    if (signal.aborted) throw signal.reason;
    if (this.#failure !== undefined) throw this.#failure;
    return this.#bytes;
  }

  data(chunk: Buffer): void {
    // A resumed parser flushes with an empty chunk; pausing on that would go round for ever.
    if (this.#ended || this.#sink === undefined || chunk.length === 0) return;
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
    this.#controller?.pause();
    given.then(
      () => {
        this.#busy = false;
        if (this.#ended) this.#finish();
        else if (this.#bytes >= this.#limit) this.stop(undefined);
        else this.#controller?.resume();
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
    this.#stopped = error ?? new Error('enough');
    this.#controller?.abort(asError(this.#stopped));
    if (!this.#busy) this.#finish();
  }

  #finish(): void {
    this.#settle?.();
  }
}

function asError(value: unknown): Error {
  return value instanceof Error ? value : new Error(String(value));
}
