import { sleep } from '../../core/clock.ts';
import { errorFromWire, ShoalError, toShoalError } from '../../core/errors.ts';
import { partitionOf, type TaskId } from '../../core/ids.ts';
import { LIMITS } from '../../core/limits.ts';
import type { Probed } from '../../core/probed.ts';
import type { ResolveReply, ResolveRequest } from '../../core/resolve-messages.ts';
import { portOf, redactUrl, resourceIdOf, taskIdOfUrl } from '../../core/source.ts';
import type { OpenBody, ProbeAnswer } from '../../origins/origin.ts';
import { addressRefused } from '../../origins/origin-error.ts';
import { namesContent } from '../../origins/registry/target.ts';
import { SUBJECTS } from '../../transport/subjects.ts';
import type { HostWorld } from '../host/world.ts';
import type { OwnResources } from './own-resources.ts';

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
  /** Only one stream will do: its parts come with validators that differ. */
  readonly whole: boolean;
  /** Names the request through all of its tries. */
  readonly ask: number;
}

type Content = Extract<ProbeAnswer, { kind: 'content' }>;

type Known = Extract<ResolveReply, { status: 'ask-origin' }>['known'];

/** How long a scheduler that never answered may stay silent before this host asks the origin by itself. */
const SILENCE_MS = 1_500;
/** How long the one who asked the origin lets its own download wait until the scheduler has heard the answer. */
const TELL_FIRST_MS = 200;
const TELL_TRIES = 10;
const WHOLE = Number.MAX_SAFE_INTEGER;

/**
 * Finds the task of a URL: one host asks the origin, those who wait are told. With credentials, or without a
 * scheduler, this host asks for itself.
 * @throws ERR_SOURCE_*, ERR_CANCELLED
 */
export async function resolveUrl(
  world: HostWorld,
  own: OwnResources,
  input: ResolveInput,
  signal: AbortSignal,
): Promise<Resolved> {
  const credentials = Object.keys(input.headers).length > 0;
  const resourceId = resourceIdOf(input.url, input.filteredQuery);
  const tokens = { partition: String(partitionOf(resourceId)), resourceId, hostId: world.hostId };
  const request: ResolveRequest = {
    incarnation: world.incarnation,
    ask: input.ask,
    url: input.url,
    credentials,
    mayReadOrigin: input.mayReadOrigin && world.origin.allows(input.url),
    maxStaleMs: input.maxStaleMs,
    brokenOff: input.brokenOff,
    whole: input.whole,
  };
  const ask = async (message: ResolveRequest, until?: AbortSignal): Promise<ResolveReply> => {
    if (world.alone || credentials) return own.resolve(resourceId, input.headers, message);
    const limits = { timeoutMs: LIMITS.syncTimeoutMs, ...(until && { signal: until }) };
    return world.bus.request(SUBJECTS.resolve, tokens, message, limits);
  };
  const tellAs = (waitMs: number) => (outcome: NonNullable<ResolveRequest['outcome']>) => {
    const told = tellUntilHeard(world, () => ask({ ...request, outcome }));
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
      reply = await ask(request, signal);
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
    const told = tell({ kind: 'failed', error: error.toWire() });
    // Others wait for whoever asks, also where its client has gone.
    if (!signal.aborted) await told;
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
  const answer = await firstAnswer(world, input, known, signal);
  if (known !== undefined && isSameVersion(known, answer)) {
    if (answer.kind === 'content') answer.body.discard();
    const { taskId, probed } = known;
    return { taskId, probed, body: undefined };
  }
  if (answer.kind === 'unchanged') throw unasked();
  const { url, filteredQuery } = input;
  const { probed, body } = await asOneRead(world, input, answer, signal);
  const strong = probed.etag !== undefined && probed.length !== undefined;
  const readId = Buffer.from(world.random.bytes(16)).toString('hex');
  const taskId = taskIdOfUrl(
    url,
    strong ? { etag: probed.etag ?? '', length: probed.length ?? 0 } : { readId },
    filteredQuery,
  );
  return { taskId, probed: strong ? probed : { ...probed, ranges: false }, body };
}

/**
 * Content that is known costs a byte at most where it is still the same, at an origin that answers conditions or not;
 * content that nothing tells the version of is read whole at once.
 */
async function firstAnswer(
  world: HostWorld,
  { url, headers, whole }: ResolveInput,
  known: Known,
  signal: AbortSignal,
): Promise<ProbeAnswer> {
  if (whole) return world.origin.probe({ url, headers, prefixBytes: WHOLE }, signal);
  const first = { url, headers, prefixBytes: LIMITS.resolveBytes };
  if (known === undefined) return world.origin.probe(first, signal);
  const { validator } = known;
  const isTold = (validator.etag ?? validator.lastModified) !== undefined;
  // A registry's answer to a condition does not say whom it was meant for.
  const condition = namesContent(url) ? undefined : validator;
  const again = { ...first, known: condition, prefixBytes: isTold ? 1 : WHOLE };
  const answer = await world.origin.probe(again, signal);
  if (answer.kind === 'unchanged' || !isPart(answer) || isSameVersion(known, answer)) return answer;
  answer.body.discard();
  return world.origin.probe(first, signal);
}

/** Without a strong validator two reads cannot be put together: where only a part came, all of it is asked for. */
async function asOneRead(
  world: HostWorld,
  { url, headers, whole }: ResolveInput,
  answer: Content,
  signal: AbortSignal,
): Promise<Content> {
  if (whole) return asStream(answer);
  if (answer.probed.etag !== undefined || !isPart(answer)) return answer;
  answer.body.discard();
  const again = await world.origin.probe({ url, headers, prefixBytes: WHOLE }, signal);
  if (again.kind === 'unchanged') throw unasked();
  return asStream(again);
}

/** One body that is all that is read, whatever the origin tells of it. */
function asStream(answer: Content): Content {
  return { ...answer, probed: { ...answer.probed, etag: undefined, ranges: false } };
}

function isPart({ probed, body }: Content): boolean {
  return probed.length !== undefined && body.end !== undefined && body.end < probed.length;
}

function unasked(): ShoalError {
  return new ShoalError('ERR_SOURCE_PROTOCOL', 'the origin answered 304 to a plain GET');
}

/** An origin that ignores conditions: the same validator and length are the same content. */
function isSameVersion({ probed, validator }: NonNullable<Known>, answer: ProbeAnswer): boolean {
  if (answer.kind === 'unchanged') return true;
  const { etag, lastModified, length } = answer.probed;
  if (length !== probed.length) return false;
  if (etag !== undefined || validator.etag !== undefined) return etag === validator.etag;
  return lastModified !== undefined && lastModified === validator.lastModified;
}
