import { randomInt, sleep } from '../../core/clock.ts';
import { errorFromWire, ShoalError, toShoalError } from '../../core/errors.ts';
import { partitionOf, type TaskId } from '../../core/ids.ts';
import { LIMITS } from '../../core/limits.ts';
import type { Probed } from '../../core/probed.ts';
import type { ResolveReply, ResolveRequest } from '../../core/resolve-messages.ts';
import { portOf, redactUrl, resourceIdOf, taskIdOfUrl } from '../../core/source.ts';
import type { OpenBody, ProbeAnswer } from '../../origins/origin.ts';
import { addressRefused } from '../../origins/origin-error.ts';
import { SUBJECTS } from '../../transport/subjects.ts';
import type { HostWorld } from '../host/world.ts';

/** What a URL points to now. */
export interface Resolved {
  readonly taskId: TaskId;
  readonly probed: Probed;
  /** The origin's answer with its body still to be read, where this host asked it. */
  readonly body: OpenBody | undefined;
}

interface ResolveInput {
  readonly url: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly mayReadOrigin: boolean;
  readonly maxStaleMs: number;
  /** What the URL pointed to when it was tried before, and cannot be had any more. */
  readonly brokenOff?: TaskId | undefined;
  /** Query parameters that do not name content. */
  readonly filteredQuery?: readonly string[] | undefined;
}

type Content = Extract<ProbeAnswer, { kind: 'content' }>;

type Known = Extract<ResolveReply, { status: 'ask-origin' }>['known'];

/** How long a scheduler that never answered may stay silent before this host asks the origin by itself. */
const SILENCE_MS = 1_500;
/** How long the one who asked the origin lets its own download wait until the scheduler has heard the answer. */
const TELL_FIRST_MS = 200;
const TELL_TRIES = 10;

/**
 * Finds the task of a URL: one host asks the origin, those who wait are told. With credentials, or without a
 * scheduler, this host asks for itself.
 * @throws ERR_SOURCE_*, ERR_CANCELLED
 */
export async function resolveUrl(
  world: HostWorld,
  input: ResolveInput,
  signal: AbortSignal,
): Promise<Resolved> {
  const credentials = Object.keys(input.headers).length > 0;
  if (world.alone || credentials) return askOrigin(world, input, undefined, signal);
  const resourceId = resourceIdOf(input.url, input.filteredQuery);
  const tokens = { partition: String(partitionOf(resourceId)), resourceId, hostId: world.hostId };
  const request: ResolveRequest = {
    incarnation: world.incarnation,
    ask: randomInt(world.random, 2 ** 48),
    url: input.url,
    credentials,
    mayReadOrigin: input.mayReadOrigin && world.origin.allows(input.url),
    maxStaleMs: input.maxStaleMs,
    brokenOff: input.brokenOff,
  };
  const ask = (message: ResolveRequest) =>
    world.bus.request(SUBJECTS.resolve, tokens, message, { timeoutMs: LIMITS.syncTimeoutMs, signal });
  const tellAs = (waitMs: number) => (outcome: NonNullable<ResolveRequest['outcome']>) => {
    const message = { ...request, outcome };
    const told = tellUntilHeard(world, () =>
      world.bus.request(SUBJECTS.resolve, tokens, message, { timeoutMs: LIMITS.syncTimeoutMs }),
    );
    return waitMs === 0 ? Promise.resolve() : Promise.race([told, sleep(world.clock, waitMs)]);
  };
  const askedMs = world.clock.now();
  // Whoever was sent to the origin may not come back: those who wait do not all go at the same time.
  const waitMs = world.starvedAfterMs * (1.5 + world.random.next());
  let heardMs = askedMs;
  let patienceMs = SILENCE_MS;
  for (;;) {
    let reply: ResolveReply;
    try {
      reply = await ask(request);
      heardMs = world.clock.now();
      patienceMs = LIMITS.adriftAfterMs;
    } catch (thrown) {
      const error = toShoalError(thrown);
      if (signal.aborted) throw error;
      // Others may be told to wait for this host, by an answer that was lost: it tells them all the same.
      if (world.clock.now() - heardMs > patienceMs)
        return askAndTell(world, input, undefined, signal, tellAs(0));
      await sleep(world.clock, 100, signal);
      continue;
    }
    if (reply.status === 'failed') throw inOwnWords(errorFromWire(reply.error), input, request);
    if (reply.status === 'resolved') return { taskId: reply.taskId, probed: reply.probed, body: undefined };
    if (reply.status === 'wait') {
      if (request.mayReadOrigin && world.clock.now() - askedMs > waitMs) {
        world.log.warn({ url: redactUrl(input.url) }, 'nobody says what a URL points to; asking its origin');
        return askAndTell(world, input, undefined, signal, tellAs(TELL_FIRST_MS));
      }
      await sleep(world.clock, reply.afterMs, signal);
      continue;
    }
    return askAndTell(world, input, reply.known, signal, tellAs(TELL_FIRST_MS));
  }
}

/** Only this host knows that its own policy, and nobody's flag, kept it from asking the origin. */
function inOwnWords(error: ShoalError, input: ResolveInput, request: ResolveRequest): ShoalError {
  const isRefused = input.mayReadOrigin && !request.mayReadOrigin && error.code === 'ERR_SOURCE_FORBIDDEN';
  if (!isRefused) return error;
  const url = new URL(input.url);
  return addressRefused(url.hostname, portOf(url));
}

/** Others wait for the answer, which stands whether or not the scheduler hears of it. */
async function tellUntilHeard(world: HostWorld, tell: () => Promise<unknown>): Promise<void> {
  for (let tries = 0; tries < TELL_TRIES; tries += 1) {
    try {
      await tell();
      return;
    } catch {
      await sleep(world.clock, 100);
    }
  }
}

async function askAndTell(
  world: HostWorld,
  input: ResolveInput,
  known: Known,
  signal: AbortSignal,
  tell: (outcome: NonNullable<ResolveRequest['outcome']>) => Promise<void>,
): Promise<Resolved> {
  try {
    const resolved = await askOrigin(world, input, known, signal);
    const { taskId, probed, body } = resolved;
    const readingBytes =
      body === undefined ? 0 : probed.ranges ? LIMITS.resolveBytes : (probed.length ?? LIMITS.piecesPerTask);
    await tell({ kind: 'found', taskId, probed, readingBytes });
    return resolved;
  } catch (thrown) {
    const error = toShoalError(thrown);
    if (!signal.aborted) await tell({ kind: 'failed', error: error.toWire() });
    throw error;
  }
}

async function askOrigin(
  world: HostWorld,
  input: ResolveInput,
  known: Known,
  signal: AbortSignal,
): Promise<Resolved> {
  if (!input.mayReadOrigin) {
    throw new ShoalError(
      'ERR_SOURCE_FORBIDDEN',
      'the swarm does not know this URL, and the origin may not be read',
    );
  }
  const { url, headers } = input;
  const answer = await world.origin.probe({ url, headers, known, prefixBytes: LIMITS.resolveBytes }, signal);
  if (answer.kind === 'unchanged') {
    if (known === undefined) throw unasked();
    const { taskId, length, etag, lastModified, encoding } = known;
    // A scheduler knows ranges and audience of a task it has told about; only the first read sets them.
    return {
      taskId,
      probed: { length, etag, lastModified, encoding, ranges: etag !== undefined, audience: 'public' },
      body: undefined,
    };
  }
  if (known !== undefined && isSameVersion(known, answer.probed)) {
    answer.body.discard();
    return { taskId: known.taskId, probed: answer.probed, body: undefined };
  }
  const { probed, body } = await asOneRead(world, input, answer, signal);
  const strong = probed.etag !== undefined && probed.length !== undefined;
  const readId = Buffer.from(world.random.bytes(16)).toString('hex');
  const taskId = taskIdOfUrl(
    url,
    strong ? { etag: probed.etag ?? '', length: probed.length ?? 0 } : { readId },
    input.filteredQuery,
  );
  return { taskId, probed: strong ? probed : { ...probed, ranges: false }, body };
}

/** Without a strong validator two reads cannot be put together: where only a part came, all of it is asked for. */
async function asOneRead(
  world: HostWorld,
  { url, headers }: ResolveInput,
  answer: Content,
  signal: AbortSignal,
): Promise<Content> {
  const { probed, body } = answer;
  const isPart = probed.length !== undefined && body.end !== undefined && body.end < probed.length;
  if (probed.etag !== undefined || !isPart) return answer;
  body.discard();
  const whole = await world.origin.probe({ url, headers, prefixBytes: Number.MAX_SAFE_INTEGER }, signal);
  if (whole.kind === 'unchanged') throw unasked();
  // Its one body is all that is read, whatever it may be told by now.
  return { ...whole, probed: { ...whole.probed, ranges: false } };
}

function unasked(): ShoalError {
  return new ShoalError('ERR_SOURCE_PROTOCOL', 'the origin answered 304 to a plain GET');
}

/** An origin that ignores conditions: the same strong ETag and length are the same content. */
function isSameVersion(known: NonNullable<Known>, probed: Probed): boolean {
  return known.etag !== undefined && known.etag === probed.etag && known.length === probed.length;
}
