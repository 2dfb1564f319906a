/** Time limits and bounds of the data plane that no other layer needs to know. */
export const BOUNDS = {
  /** A request head at most, in bytes: a token and little else. */
  requestHeadBytes: 8 * 1024,
  /** A response head at most, in bytes. */
  responseHeadBytes: 4 * 1024,
  /** The body of a refusal at most, in bytes; it is thrown away. */
  refusalBytes: 4 * 1024,
  /** A request head must be whole after this. */
  requestHeadMs: 5_000,
  /** A reader that takes no byte for this long is cut off. */
  readerStallMs: 10_000,
  /** A reader slower than this on average, in bytes per second, is cut off in the end. */
  readerMinPerSec: 16 * 1024,
  /** The parent closes a connection idle for this long. */
  parentIdleMs: 60_000,
  /** The child does so earlier, so that it rarely asks on a connection that is being closed. */
  childIdleMs: 30_000,
  /** After this a parent closes a connection at its next answer: its admission has to be proven again. */
  connectionAgeMs: 600_000,
  /** Connections a parent keeps open. */
  connectionsUp: 512,
  /** Connections a child keeps open, in all and to one parent. */
  connectionsDown: 256,
  connectionsDownPerParent: 16,
  /** Bodies of `have` being sent at once. */
  haveAnswers: 8,
  /** Buffer for bytes on their way out, two for each upload. */
  sendBufferBytes: 512 * 1024,
  /** Buffer for bytes on their way in, one for each connection. */
  receiveBufferBytes: 256 * 1024,
} as const;
