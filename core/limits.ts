const KIB = 1024;
const MIB = 1024 * KIB;

/**
 * The bounds and time limits that are no settings and that folders share: what the protocol holds hosts and schedulers
 * to, how they schedule, and how they notice that another is gone. What one folder alone keeps to stands in its own table
 * (`BOUNDS`, `ORIGIN_LIMITS`, `FORWARD_LIMITS`, `MIRROR_LIMITS`), and what one file alone keeps to at its top.
 */
export const LIMITS = {
  /** No message on the bus exceeds this. */
  messageBytes: 256 * KIB,
  /** Requests one bus answers at a time; the next is refused and counted as slow. */
  busHandlers: 4096,
  /** One operation on the task log or a directory. */
  busStoreMs: 5_000,
  /** How long a closing bus waits for the requests it is answering. */
  busCloseMs: 2_000,
  /** Piece hashes in one message: 36 bytes each, so that a page stays well under a message. */
  hashesPerPage: 4096,
  pieceMinBytes: 128 * KIB,
  pieceMaxBytes: 16 * MIB,
  /** Piece length where the content's length is unknown. */
  pieceUnknownLengthBytes: 4 * MIB,
  /** Pieces of one task at most: 16 MiB each, 4 TiB in all; bounds every bitfield on the wire. */
  piecesPerTask: 262_144,
  /** The body of a resolve: its first bytes are used as the first pieces. */
  resolveBytes: 1 * MIB,
  /**
   * One lease is at most this many bytes, or `leaseMs` at the measured rate for each task that the host fetches, up to
   * `leaseMostMs`; a single piece always.
   */
  leaseBytes: 4 * MIB,
  leaseMs: 250,
  leaseMostMs: 1_000,
  slotsDown: 24,
  slotsUp: 16,
  /** So many of a host's upload slots serve the children of one task; one for each where they are more. */
  slotsUpFew: 12,
  originLeasesPerHost: 1,
  originLeasesLoneHost: 4,
  originLeasesPerTask: 8,
  /** A planned lease not begun within this time is taken back. */
  leaseBeginMs: 2_000,
  connectMs: 1_000,
  firstByteMs: 2_000,
  idleMs: 2_000,
  /** Hedging: after this many median piece times; before the last part of the pieces after so many ms at least. */
  hedgeAfterMedians: 3,
  hedgeTailShare: 0.05,
  hedgeLateMs: 2_000,
  syncMinIntervalMs: 50,
  syncPerHostMs: 0.2,
  /** A host that works on several tasks syncs each no sooner than this for each of them, up to a bound. */
  syncPerTaskMs: 15,
  syncSharedMaxMs: 1_000,
  /** The same where it has nothing to tell. */
  syncRestPerTaskMs: 40,
  syncRestMaxMs: 2_000,
  /** Between syncs that have nothing to tell and can expect nothing: what changes is pushed. */
  syncQuietMs: 1_000,
  /** Between two rounds of pushes to the idle children of a task. */
  pushEveryMs: 20,
  syncTimeoutMs: 1_000,
  adriftAfterMs: 3_000,
  /** An epoch so far ahead of a host's own clock is refused. */
  epochAheadMs: 86_400_000,
  /** Nothing comes for this long, and a download goes to the origin, whatever its scheduler answers; a setting. */
  starvedAfterMs: 5_000,
  /** Bytes that come slower than this are no progress. */
  floorBytesPerSec: 32 * KIB,
  /** A piece is overdue after so many times what one takes at the rate measured on this host. */
  overduePieces: 3,
  firstSyncMinMs: 1_000,
  firstSyncMaxMs: 2_000,
  /** How long hosts have to tell a scheduler just born, or back on NATS, what they hold. */
  censusMs: 1_000,
  /** A scheduler renews its heartbeat this often, and grants nothing when that was not acknowledged for `termMs`. */
  beatMs: 500,
  termMs: 2_000,
  /** How much longer a heartbeat must stand still, on the clock of whoever takes over. */
  termMarginMs: 500,
  /** One operation on the ownership of partitions. */
  ownershipMs: 1_000,
  /** So long schedulers are without a store before presence alone decides who owns what. */
  storelessMs: 3_000,
  /** A scheduler that leaves waits so long for others to take over. */
  leaveMs: 4_000,
  /** A scheduler whose `alive` stays away for this long is gone. */
  schedulerGoneMs: 3_500,
  aliveMs: 1_000,
  /** A host whose `alive` stays away for this long is gone. */
  hostGoneMs: 4_000,
  addressBookHosts: 64,
  /** Hosts that a scheduler keeps account of; beyond, those heard least are dropped. */
  hostsKnown: 16_384,
  /** Tasks with an actor at one scheduler, and of one host: an image has some 40, a preheat hundreds. */
  tasksAtWork: 16_384,
  tasksPerHost: 2_048,
  /** Pieces that a host makes a scheduler keep account of; one task is always taken. */
  piecesPerHost: 262_144,
  /** What a host may hold, as a scheduler counts it: tasks, and bytes of the bitfields of those held in part. */
  holdingsPerHost: 32_768,
  holdingBytesPerHost: 4 * MIB,
  /** URLs that a host made a scheduler remember, and all. */
  resourcesPerHost: 4_096,
  resources: 32_768,
  /** Messages that a scheduler takes of one host, a second and in a burst; each KiB counts as one. */
  hostMessagesPerSec: 1_000,
  hostMessagesBurst: 8_192,
  /** A page of a list costs a scheduler more than its question weighs: it counts as so many bytes. */
  queryBytes: 16 * KIB,
  /** A job whose scheduler is silent for so long is given to another. */
  jobAckMs: 6_000,
  parentsInReply: 8,
  /** A task or peer actor ends this long after its last transfer. */
  idleActorMs: 60_000,
  /** A download goes on this long after a client was given a range of it. */
  lingerMs: 3_000,
  tokenMs: 3_600_000,
  clockLeewayMs: 60_000,
  daemonGoneMs: 3_000,
} as const;
