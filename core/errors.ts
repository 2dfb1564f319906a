/** Who can do something about an error: the person who asked, or the operator of the system. */
export type Audience = 'user' | 'system';

interface CodeEntry {
  /** HTTP status on every door that speaks HTTP. */
  readonly status: number;
  /** Exit code of the command line. */
  readonly exit: number;
  readonly retryable: boolean;
  readonly audience: Audience;
  /** What to do about it, one sentence for a person. */
  readonly fix: string;
}

const user = (status: number, exit: number, fix: string): CodeEntry => ({
  status,
  exit,
  retryable: false,
  audience: 'user',
  fix,
});
const system = (status: number, exit: number, fix: string, retryable = true): CodeEntry => ({
  status,
  exit,
  retryable,
  audience: 'system',
  fix,
});

/** Every error Shoal raises, by code; docs/ERRORS.md is checked against this table. */
export const ERRORS = {
  ERR_CONFIG_INVALID: user(
    400,
    2,
    'Correct the flag, the SHOAL_* variable or the configuration file named above.',
  ),
  ERR_CONFIG_DIR_LOCKED: user(
    409,
    1,
    'Another daemon uses this --dir: stop it, or give this one its own --dir.',
  ),
  ERR_CONFIG_CONFLICT: user(
    409,
    1,
    'Nothing was written. Change the file by hand as said above, then run the command again.',
  ),
  ERR_CONFIG_DENIED: user(
    403,
    1,
    'Run the command as root (sudo), or name another place with --config-dir or --file.',
  ),
  ERR_CONFIG_GOES_AROUND: user(
    502,
    1,
    'Do what is said above, then run the same command again; --no-check writes the files alone.',
  ),
  ERR_CONFIG_NATS_SERVER_MISSING: user(
    503,
    1,
    'Install nats-server (Debian: apt-get install nats-server), or point --nats at a running one.',
  ),
  ERR_BUS_UNAVAILABLE: system(503, 75, 'Check that NATS runs at the --nats URL; Shoal reconnects by itself.'),
  ERR_BUS_TIMEOUT: system(504, 75, 'Try again; a scheduler or host did not answer in time.'),
  ERR_BUS_NO_RESPONDERS: system(503, 75, 'Start a scheduler (`shoal scheduler`), or wait until one is back.'),
  ERR_BUS_DENIED: system(
    403,
    1,
    'Give a NATS login that may do this (--nats-nkey, --nats-user, …); docs/SECURITY.md has the roles.',
    false,
  ),
  ERR_BUS_MESSAGE_INVALID: system(
    400,
    1,
    'Check that all daemons of the swarm run compatible versions.',
    false,
  ),
  ERR_BUS_MESSAGE_TOO_LARGE: system(
    413,
    1,
    'Report this: a message was built beyond the limit of 256 KiB.',
    false,
  ),
  ERR_BUS_CONFLICT: system(409, 75, 'Try again; somebody else changed the entry first.'),
  ERR_SCHED_BUSY: system(
    503,
    75,
    'Try again later: the scheduler has as much to do as it can, or as it does for one host.',
  ),
  ERR_TASK_ID_INVALID: user(
    400,
    2,
    'Give a task id as `shoal task ls` prints it, or a digest sha256:<64 hex digits>.',
  ),
  ERR_TASK_NOT_FOUND: user(
    404,
    3,
    'Look at `shoal task ls`, or give the URL so that an origin can be asked.',
  ),
  ERR_TASK_CHANGED: system(409, 75, 'The origin replaced the content during the download: get it again.'),
  ERR_TASK_RANGE: user(416, 2, 'Ask for bytes within the length of the content, which is given above.'),
  ERR_DIGEST_INVALID: user(400, 2, 'Give a digest as sha256:<64 hex digits> or sha512:<128 hex digits>.'),
  ERR_DIGEST_MISMATCH: user(
    502,
    4,
    'No source has content of this digest: check the digest, or the URL. Nothing was kept.',
  ),
  ERR_DIGEST_NO_SOURCE: user(404, 3, 'Nobody in the swarm holds this digest: give a URL with --digest.'),
  ERR_FILE_UNREADABLE: user(400, 1, 'Check the path, and that this user may read the file.'),
  ERR_FILE_UNKNOWN: user(
    404,
    4,
    'The file was changed, or the swarm does not hold it: compare its digest with the one you expect.',
  ),
  ERR_IMPORT_BUSY: system(409, 75, 'Try again when the other download or import of it has ended.'),
  ERR_LIST_FAILED: user(502, 1, 'See the reason of each file above, then run the same command again.'),
  ERR_IMAGE_REFERENCE: user(400, 2, 'Give an image as [REGISTRY/]REPOSITORY[:TAG][@sha256:<64 hex digits>].'),
  ERR_IMAGE_MANIFEST: user(
    502,
    1,
    'Check the image at its registry: what it gave is not a manifest of OCI or Docker.',
  ),
  ERR_IMAGE_PLATFORM: user(404, 3, 'Give one of the platforms named above with --platform, or all.'),
  ERR_HOST_NOT_FOUND: user(
    404,
    3,
    'Look at `shoal host ls` for the hosts of the swarm, their zones and labels.',
  ),
  ERR_PREHEAT_BUSY: system(503, 75, 'Try again later: the host has as many preheats under way as it takes.'),
  ERR_PREHEAT_FAILED: user(
    502,
    1,
    'Look at the reason of each host, then run the same command again: what is there already is kept.',
  ),
  ERR_TASK_PINNED: user(
    409,
    1,
    'A pin keeps it: `shoal job ls --kind pin`, then `shoal job cancel` that one.',
  ),
  ERR_JOB_NOT_FOUND: user(404, 1, 'See `shoal job ls`; jobs that are over are kept for a week.'),
  ERR_JOB_CONFLICT: user(409, 1, 'The idempotency key stands for another request: use a new one.'),
  ERR_JOB_NO_STORE: system(503, 75, 'Start nats-server with JetStream (-js): jobs are kept there.'),
  ERR_JOB_HEADERS_LOST: user(
    410,
    1,
    'Ask again with the same headers: they are kept in the memory of the process that took them, and it has ended.',
  ),
  ERR_JOB_FAILED: user(502, 1, 'See what failed on which host: `shoal job show JOB`.'),
  ERR_PIN_SHORT: user(503, 75, 'Start more hosts that fit, or in more zones: the copies come by themselves.'),
  ERR_JOB_CANCELLED: user(409, 1, 'Somebody cancelled the job; ask for it anew.'),
  ERR_PIECE_CORRUPT: system(502, 1, 'The parent is avoided and the piece fetched elsewhere; check its disk.'),
  ERR_PEER_UNAVAILABLE: system(502, 75, 'The piece is fetched elsewhere; check the network to this host.'),
  ERR_PEER_BUSY: system(503, 75, 'The piece is fetched elsewhere; the parent has no free slot.'),
  ERR_PEER_MISSING: system(404, 75, 'The piece is fetched elsewhere; the parent does not hold it.'),
  ERR_PEER_STALLED: system(504, 75, 'The piece is fetched elsewhere; the parent sent nothing for too long.'),
  ERR_PEER_PROTOCOL: system(
    502,
    1,
    'The parent is avoided; check that it runs a compatible version of Shoal.',
  ),
  ERR_AUTH_DENIED: system(401, 1, 'Join the swarm first: bytes are given only to its members.', false),
  ERR_AUTH_KEY_UNKNOWN: system(425, 75, 'Try again; the parent is looking the scheduler key up.'),
  ERR_SOURCE_URL_INVALID: user(400, 2, 'Give an absolute http:// or https:// URL.'),
  ERR_SOURCE_ADDRESS_REFUSED: user(
    403,
    5,
    'Name the host with --allow-origin HOST[:PORT] if it really is an origin to read from.',
  ),
  ERR_SOURCE_NOT_FOUND: user(404, 3, 'Check the URL: the origin says there is nothing there.'),
  ERR_SOURCE_REFUSED: user(403, 5, 'Give the credentials the origin asks for, for example with --header.'),
  ERR_SOURCE_STATUS: user(502, 1, 'The origin refused the request for good; its status is given above.'),
  ERR_SOURCE_UNAVAILABLE: system(
    502,
    75,
    'Check that the origin is up and reachable from this host, then try again.',
  ),
  ERR_SOURCE_TLS: user(502, 1, 'Check the certificate of the origin, or add its CA to NODE_EXTRA_CA_CERTS.'),
  ERR_SOURCE_PROTOCOL: system(
    502,
    1,
    'The origin answered something that is not valid HTTP for this request.',
  ),
  ERR_SOURCE_FORBIDDEN: user(
    403,
    1,
    'Drop --no-origin, or wait until a host of the swarm holds the content.',
  ),
  ERR_STORE_FULL: user(507, 6, 'Free space in --dir, or raise --cache-size.'),
  ERR_STORE_CORRUPT: system(500, 1, 'The damaged pieces are fetched again; check the disk.'),
  ERR_STORE_IO: system(500, 1, 'Check the disk, and the rights on --dir.'),
  ERR_OUTPUT: user(500, 1, 'Check that the output path can be written.'),
  ERR_TIMEOUT: user(504, 124, 'Give a longer --timeout, or look at `shoal explain` for what is slow.'),
  ERR_CANCELLED: user(499, 130, 'Run the same command again: it goes on from what is there.'),
  ERR_API_REQUEST: user(
    400,
    2,
    'Compare the request with /openapi.json; what is wrong with it is said above.',
  ),
  ERR_API_ROUTE: user(404, 3, 'See /openapi.json for what there is.'),
  ERR_API_LOGIN: user(
    401,
    1,
    'Send `Authorization: Bearer TOKEN`; an operator makes one with `shoal token create`.',
  ),
  ERR_API_SCOPE: user(403, 1, 'Take a token with a scope named above: `shoal token create --scope SCOPE`.'),
  ERR_API_BUSY: system(503, 75, 'Try again later: the gateway has as much under way as it takes.'),
  ERR_TOKEN_NOT_FOUND: user(404, 3, 'See `shoal token ls`.'),
  ERR_DOCTOR_FOUND: user(503, 1, 'Run the commands named above, then `shoal doctor` again.'),
  ERR_SIM_BROKEN: user(
    500,
    1,
    'Play the seed again by the line above; a rule that is broken is a defect: report it.',
  ),
  ERR_DAEMON_UNAVAILABLE: user(503, 1, 'Start a daemon (`shoal peer --nats URL`), or name its --dir.'),
  ERR_INTERNAL: system(500, 1, 'Report this with the log lines around it.', false),
} as const satisfies Record<string, CodeEntry>;

/** A stable error code, `ERR_<AREA>_<WHAT>`. */
export type ErrorCode = keyof typeof ERRORS;

/** An error as it crosses a process boundary. */
export interface WireError {
  readonly code: ErrorCode;
  readonly message: string;
  readonly retryable: boolean;
  readonly details?: Readonly<Record<string, unknown>>;
}

/** The one error class of Shoal: a code from the table, a message for people, details for machines. */
export class ShoalError extends Error {
  override readonly name = 'ShoalError';
  readonly code: ErrorCode;
  readonly details: Readonly<Record<string, unknown>>;

  constructor(
    code: ErrorCode,
    message: string,
    options: { cause?: unknown; details?: Readonly<Record<string, unknown>> } = {},
  ) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.code = code;
    this.details = options.details ?? {};
  }

  get retryable(): boolean {
    return ERRORS[this.code].retryable;
  }

  get status(): number {
    return ERRORS[this.code].status;
  }

  get exit(): number {
    return ERRORS[this.code].exit;
  }

  get fix(): string {
    return ERRORS[this.code].fix;
  }

  toWire(): WireError {
    return { code: this.code, message: this.message, retryable: this.retryable, details: this.details };
  }
}

/** Rebuilds an error that arrived from another process; an unknown code becomes ERR_INTERNAL. */
export function errorFromWire(wire: { code: string; message: string; details?: unknown }): ShoalError {
  const code: ErrorCode = Object.hasOwn(ERRORS, wire.code) ? (wire.code as ErrorCode) : 'ERR_INTERNAL';
  const details = typeof wire.details === 'object' && wire.details !== null ? wire.details : {};
  return new ShoalError(code, wire.message, { details: details as Record<string, unknown> });
}

/** Any thrown value as a ShoalError: itself, or ERR_INTERNAL around it. */
export function toShoalError(error: unknown): ShoalError {
  if (error instanceof ShoalError) return error;
  const message = error instanceof Error ? error.message : String(error);
  return new ShoalError('ERR_INTERNAL', message, { cause: error });
}
