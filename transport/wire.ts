import type { BusState, Directory, Subscription } from './bus.ts';

/** A message as bytes, with the way to answer it where it asks for an answer. */
export interface WireMessage {
  readonly subject: string;
  readonly bytes: Uint8Array;
  /** Where an answer goes, as whoever asked says; there where `respond` is. */
  readonly reply?: string;
  readonly respond?: (answer: WireAnswer) => void;
}

/** An answer as bytes; `fault` marks the wire form of an error and repeats it for people who watch the subject. */
export interface WireAnswer {
  readonly bytes: Uint8Array;
  readonly fault?: { readonly status: number; readonly text: string };
}

/** The last message of one subject of a stream. */
export interface WireRecord {
  readonly subject: string;
  readonly bytes: Uint8Array;
}

/** How a worker takes messages out of a queue. */
export interface WorkOptions {
  /** A message whose worker has not been heard of for this time is given to another, ms. */
  readonly ackMs: number;
  /** Messages at work at once. */
  readonly atOnce: number;
}

/** Resolves when the message is dealt with for good; where it rejects, the message comes again. */
export type WorkHandler = (message: WireRecord) => Promise<void>;

/**
 * What carries bytes below a bus: NATS, or a hub in memory. It knows subjects and no message types; its errors are
 * ShoalErrors. Subscriptions outlive the connection; nothing else does.
 */
export interface Wire {
  readonly state: BusState;
  onState(listener: (state: BusState) => void): Subscription;
  /** False, and nothing is sent, while disconnected. */
  publish(subject: string, bytes: Uint8Array): boolean;
  /** @throws ERR_BUS_UNAVAILABLE, ERR_BUS_NO_RESPONDERS, ERR_BUS_TIMEOUT, ERR_BUS_DENIED, ERR_CANCELLED */
  request(
    subject: string,
    bytes: Uint8Array,
    options: { readonly timeoutMs: number; readonly signal?: AbortSignal },
  ): Promise<WireAnswer>;
  /** Every answer of `waitMs`, or the first `most`; none where nobody listens. @throws ERR_BUS_UNAVAILABLE, ERR_BUS_DENIED */
  gather(subject: string, bytes: Uint8Array, waitMs: number, most?: number): Promise<WireAnswer[]>;
  listen(pattern: string, queue: string | undefined, handler: (message: WireMessage) => void): Subscription;
  /** Keeps the message as the last of its subject. @throws ERR_BUS_UNAVAILABLE, ERR_BUS_TIMEOUT, ERR_BUS_DENIED */
  append(stream: string, subject: string, bytes: Uint8Array): Promise<void>;
  /** The last message of each matching subject, oldest first. @throws ERR_BUS_UNAVAILABLE, ERR_BUS_TIMEOUT, ERR_BUS_DENIED */
  readLast(stream: string, pattern: string): Promise<WireRecord[]>;
  /** Puts a message into a work queue; false where one of its subject waits there, or is worked on. @throws as `append` */
  enqueue(stream: string, subject: string, bytes: Uint8Array): Promise<boolean>;
  /** Takes messages out of a work queue until it is closed. */
  work(stream: string, options: WorkOptions, handler: WorkHandler): Subscription;
  directory(bucket: string): Directory;
  close(): Promise<void>;
}
