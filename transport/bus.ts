import type { z } from 'zod';

/**
 * `denied` is not a state but an error of one operation. `disconnected` covers the time before the first
 * connection too: a daemon starts, and stays up, while NATS is down.
 */
export type BusState = 'connected' | 'disconnected' | 'closed';

/** Values of a subject's variable tokens, by name. */
export type Tokens = Readonly<Record<string, string>>;

interface SubjectBase<M> {
  /** The subject without the swarm's prefix, variable tokens in braces: `host.{hostId}.alive`. */
  readonly template: string;
  readonly message: z.ZodType<M>;
}
/** A subject that is answered. */
export interface RequestSubject<T extends Tokens, M, R> extends SubjectBase<M> {
  readonly kind: 'request';
  /** The token of the template that names who asks: a reply goes only below the inbox of that sender. */
  readonly sender: string;
  readonly reply: z.ZodType<R>;
  readonly tokens?: T;
}
/** A subject that is only heard. */
export interface PublishSubject<T extends Tokens, M> extends SubjectBase<M> {
  readonly kind: 'publish';
  readonly tokens?: T;
}
/** A subject kept in a stream, the last message of each. */
export interface LogSubject<T extends Tokens, M> extends SubjectBase<M> {
  readonly kind: 'log';
  readonly stream: string;
  readonly tokens?: T;
}
/** A subject of a work queue: at most one message of each is in it, and is taken out by one worker. */
export interface QueueSubject<T extends Tokens, M> extends SubjectBase<M> {
  readonly kind: 'queue';
  readonly stream: string;
  readonly tokens?: T;
}

/** The buckets of the swarm. */
export type Bucket = 'directory' | 'ownership' | 'jobs' | 'job-hosts' | 'tokens';

/** Whether a message of that many bytes is looked at; else it costs nothing more, and a request is answered ERR_SCHED_BUSY. */
export type AdmitMessage<T extends Tokens> = (tokens: T, bytes: number) => boolean;

/** How a subject is answered. */
export interface ServeOptions<T extends Tokens, M> {
  readonly queue?: string;
  readonly admit?: AdmitMessage<T>;
  /** Whether nobody waits for the answer any more: nothing is done, and nothing answered. */
  readonly isLate?: (message: M) => boolean;
}

/** Ends a subscription. */
export interface Subscription {
  close(): void;
}

/** One entry of a directory. */
export interface DirectoryEntry {
  readonly key: string;
  readonly value: Uint8Array;
  readonly revision: number;
}

/** A small key-value store shared by the swarm, with compare-and-set. Keys are `[-/=.\w]+`. */
export interface Directory {
  get(key: string): Promise<DirectoryEntry | undefined>;
  /** Puts only where the key's revision is `revision`; 0: only where it is absent. Returns the new revision. @throws ERR_BUS_CONFLICT, ERR_BUS_UNAVAILABLE */
  put(key: string, value: Uint8Array, revision: number): Promise<number>;
  /** @throws ERR_BUS_CONFLICT, ERR_BUS_UNAVAILABLE */
  remove(key: string, revision: number): Promise<void>;
  entries(): Promise<DirectoryEntry[]>;
  /** Calls for every entry there is and every change after; an entry without value was removed. */
  watch(
    listener: (entry: { key: string; value: Uint8Array | undefined; revision: number }) => void,
  ): Subscription;
}

/** A CloudEvent about to be published on `<swarm>.v1.event.>`, as JSON. */
export interface EventMessage {
  /** `task.created`: noun and past tense. */
  readonly type: string;
  /** Below `event.`: `<noun>.<past-tense>.<hostId>.<id>`. */
  readonly subject: string;
  /** The whole CloudEvent. */
  readonly body: unknown;
}

/**
 * How actors talk. Messages are validated on arrival; one that is not valid is counted, logged and dropped (a
 * request is answered ERR_BUS_MESSAGE_INVALID). Nothing is ever buffered while disconnected.
 */
export interface Bus {
  /** The token that stands for this bus in the subjects of its own requests. */
  readonly name: string;
  readonly state: BusState;
  onState(listener: (state: BusState) => void): Subscription;
  /** Counts since the start, for metrics. */
  readonly counters: { readonly invalid: number; readonly dropped: number; readonly slow: number };

  /**
   * @throws ERR_BUS_UNAVAILABLE (disconnected: at once), ERR_BUS_NO_RESPONDERS, ERR_BUS_TIMEOUT, ERR_BUS_DENIED,
   *   ERR_BUS_MESSAGE_TOO_LARGE, ERR_BUS_MESSAGE_INVALID (the reply), ERR_CANCELLED, or the error the server side threw
   */
  request<T extends Tokens, M, R>(
    subject: RequestSubject<T, M, R>,
    tokens: T,
    message: M,
    options: { readonly timeoutMs: number; readonly signal?: AbortSignal },
  ): Promise<R>;
  /** Asks everybody who serves the subject, and returns the answers of `waitMs`, or the first `most`. @throws ERR_BUS_UNAVAILABLE */
  gather<T extends Tokens, M, R>(
    subject: RequestSubject<T, M, R>,
    tokens: T,
    message: M,
    options: { readonly waitMs: number; readonly most?: number },
  ): Promise<R[]>;
  /** Answers requests. Tokens absent from `match` match anything. A thrown ShoalError crosses to the asker. */
  serve<T extends Tokens, M, R>(
    subject: RequestSubject<T, M, R>,
    match: Partial<T>,
    handler: (message: M, tokens: T) => R | Promise<R>,
    options?: ServeOptions<T, M>,
  ): Subscription;
  /** Returns false, and drops the message, while disconnected. @throws ERR_BUS_MESSAGE_TOO_LARGE */
  publish<T extends Tokens, M>(subject: PublishSubject<T, M>, tokens: T, message: M): boolean;
  subscribe<T extends Tokens, M>(
    subject: PublishSubject<T, M>,
    match: Partial<T>,
    handler: (message: M, tokens: T) => void,
    options?: { readonly admit?: AdmitMessage<T> },
  ): Subscription;
  /** Publishes an event; false while disconnected. @throws ERR_BUS_MESSAGE_TOO_LARGE, ERR_BUS_MESSAGE_INVALID (a subject that is not tokens) */
  emit(event: EventMessage): boolean;
  /** Hears every event of the swarm; `subject` is the part below `event.`, `body` the parsed JSON. */
  subscribeEvents(listener: (subject: string, body: unknown) => void): Subscription;

  /** Appends and waits for the acknowledgement. @throws ERR_BUS_UNAVAILABLE, ERR_BUS_TIMEOUT */
  append<T extends Tokens, M>(subject: LogSubject<T, M>, tokens: T, message: M): Promise<void>;
  /** The last message of each matching subject, oldest first. @throws ERR_BUS_UNAVAILABLE, ERR_BUS_TIMEOUT */
  readLog<T extends Tokens, M>(
    subject: LogSubject<T, M>,
    match: Partial<T>,
  ): Promise<{ readonly tokens: T; readonly message: M }[]>;
  /** Puts work into its queue; false where it is there already. @throws ERR_BUS_UNAVAILABLE, ERR_BUS_TIMEOUT */
  enqueue<T extends Tokens, M>(subject: QueueSubject<T, M>, tokens: T, message: M): Promise<boolean>;
  /**
   * Takes work out of its queue, for as long as it is open. Work whose handler rejects comes again, here or elsewhere,
   * and so does work of a worker that is not heard of for `ackMs`.
   */
  work<T extends Tokens, M>(
    subject: QueueSubject<T, M>,
    options: { readonly ackMs: number; readonly atOnce: number },
    handler: (message: M, tokens: T) => Promise<void>,
  ): Subscription;
  directory(bucket: Bucket): Directory;

  /** Resolves when all that came for this bus before has been handed on. @throws ERR_BUS_UNAVAILABLE */
  echo(): Promise<void>;

  /** Stops taking messages, finishes what runs, closes. */
  close(): Promise<void>;
}
