/** What the gateway keeps to. */
export const GATEWAY_LIMITS = {
  /** Of a request. */
  bodyBytes: 256 * 1024,
  /** Rows of a page. */
  pageRows: 500,
  pageRowsDefault: 100,
  /** A search that has looked for so long ends its page, which goes on by its cursor. */
  searchMs: 40,
  /** Streams of events that are open at a time. */
  streams: 256,
  /** Events that wait for a client that reads slowly; those beyond are dropped, and their number told. */
  eventsWaiting: 1_000,
  /** A stream on which nothing happens says so. */
  beatMs: 15_000,
  /** How long what is kept of a token is believed: a revoked one ends within this time. */
  tokenMs: 1_000,
  tokensRemembered: 4_096,
  /** Tokens that are looked up at a time. */
  tokenLookups: 64,
  /** How long the parts of an image are remembered by its name. */
  imageMs: 30_000,
  imagesRemembered: 256,
  /** Hosts of a job whose results Harbor is told one by one. */
  harborRows: 1_000,
  requestMs: 30_000,
} as const;
