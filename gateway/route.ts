import type { z } from 'zod';
import type { Scope, TokenRecord } from '../core/api-token.ts';
import type { Audited } from '../core/audit.ts';

/** Who calls: a token, or nobody in particular where none is asked for. */
export interface Caller {
  readonly token: TokenRecord | undefined;
  /** Address of the client. */
  readonly from: string;
}

/** One request, checked. */
export interface Call<P, Q, B, H> {
  readonly params: P;
  readonly query: Q;
  readonly body: B;
  readonly headers: H;
  readonly caller: Caller;
  /** Aborts when the client goes away, and when its token expires. */
  readonly signal: AbortSignal;
  /** Names for the audit log what is changed. */
  readonly changes: (target: string) => void;
}

/** One event of a stream. */
export interface SentEvent {
  readonly event: string;
  readonly data: unknown;
}

interface RouteBase<P, Q, B, H> {
  readonly method: 'GET' | 'POST' | 'DELETE';
  /** With `{name}` for what is variable. */
  readonly path: string;
  readonly tag: string;
  /** One sentence. */
  readonly about: string;
  /** One of these will do; none: it is open to everybody. */
  readonly scopes: readonly Scope[];
  readonly params?: z.ZodType<P>;
  readonly query?: z.ZodType<Q>;
  readonly body?: z.ZodType<B>;
  readonly headers?: z.ZodType<H>;
  /** What it changes. */
  readonly audited?: Audited;
}

interface AnswerSpec<P, Q, B, H, R> extends RouteBase<P, Q, B, H> {
  readonly reply: z.ZodType<R>;
  handle(call: Call<P, Q, B, H>): Promise<R> | R;
}

interface StreamSpec<P, Q, B, H> extends RouteBase<P, Q, B, H> {
  /** By the name of an event: what its data is. */
  readonly events: Readonly<Record<string, z.ZodType>>;
  /** What fails before the first event is an answer. */
  open(call: Call<P, Q, B, H>): Promise<AsyncIterable<SentEvent>> | AsyncIterable<SentEvent>;
}

/** A route of the API; the OpenAPI document and docs/API.md are made of these. */
export type ApiRoute =
  | AnswerSpec<unknown, unknown, unknown, unknown, unknown>
  | StreamSpec<unknown, unknown, unknown, unknown>;

/** A route that is answered with one JSON value. */
export function answer<P, Q, B, H, R>(spec: AnswerSpec<P, Q, B, H, R>): ApiRoute {
  return spec;
}

/** A route that is answered with a stream of server-sent events. */
export function stream<P, Q, B, H>(spec: StreamSpec<P, Q, B, H>): ApiRoute {
  return spec;
}
