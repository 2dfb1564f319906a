import { createHash } from 'node:crypto';
import { headOf, verdictOf } from '../../actors/client/ask-registry.ts';
import type { ClaimVerdict } from '../../core/claim.ts';
import { type ErrorCode, ShoalError, toShoalError } from '../../core/errors.ts';
import { type Digest, isDigest, taskIdOfDigest } from '../../core/ids.ts';
import { blobsNamedIn } from '../../core/oci-manifest.ts';
import type { RegistryAnswer } from '../../origins/registry/registry.ts';
import { nextWithin } from '../give-body.ts';
import { claimOf } from './claim.ts';
import { type ContentStart, openContent } from './content.ts';
import { isSchema1, manifestType } from './manifest-type.ts';
import type { Ask, MirrorWorld } from './mirror-world.ts';
import { passAnswer } from './pass.ts';
import { type RegistryResource, upstreamPath } from './route.ts';
import { addWarning, warnOf } from './warning.ts';

type Manifest = Extract<RegistryResource, { kind: 'manifest' }>;

const MANIFEST_BYTES = 16 * 1024 * 1024;

/** What a tag points to. */
interface Pointed {
  readonly digest: Digest;
  readonly mediaType: string | undefined;
  readonly length: number | undefined;
  /** The registry cannot be reached, and this is what it said last. */
  readonly isStale: boolean;
}

/** Answers GET and HEAD of a manifest. @throws any ShoalError or OciRefusal */
export async function giveManifest(world: MirrorWorld, ask: Ask, wanted: Manifest): Promise<void> {
  const { name, digest } = wanted;
  if (digest !== undefined) return giveByDigest(world, ask, { name, reference: digest, digest });
  const path = upstreamPath(wanted);
  const pointed = await resolveTag(world, ask, wanted, path);
  // What its registry names in its own way is given as the registry gives it.
  if (pointed === undefined) return passManifest(world, ask, wanted, path);
  const { mediaType, length, isStale } = pointed;
  if (isStale) addWarning(ask.response, 'the registry cannot be reached; what it said last is given');
  if (ask.isHead && length !== undefined && mediaType !== undefined && !isStale) {
    return answer(ask, pointed.digest, { length, mediaType, from: 'upstream' }, undefined);
  }
  const { reference } = wanted;
  try {
    return await giveByDigest(world, ask, { name, reference, digest: pointed.digest, mediaType });
  } catch (error) {
    if (ask.response.headersSent || isStale || !NOT_BY_DIGEST.has(toShoalError(error).code)) throw error;
    return passManifest(world, ask, wanted, path);
  }
}

/** How a registry answers, for the digest of a tag it has just told, where it gives its manifests by tag alone. */
const NOT_BY_DIGEST: ReadonlySet<ErrorCode> = new Set([
  'ERR_SOURCE_NOT_FOUND',
  'ERR_SOURCE_REFUSED',
  'ERR_SOURCE_STATUS',
]);

/** Asks the registry what a tag points to. Undefined where it does not name content by the digest of its bytes. */
async function resolveTag(
  world: MirrorWorld,
  ask: Ask,
  { name, reference }: Manifest,
  path: string,
): Promise<Pointed | undefined> {
  const tag = { registry: ask.registry, repository: name, tag: reference };
  let answered: RegistryAnswer;
  let verdict: ClaimVerdict;
  try {
    const signal = AbortSignal.timeout(world.limits.askMs);
    answered = await headOf(world.registry, claimOf(world, ask, path).question, signal);
    verdict = verdictOf(answered);
    if (verdict.kind !== 'allowed') throw verdict.error;
  } catch (thrown) {
    const error = unreachable(thrown);
    const known = error === undefined ? undefined : world.tags.get(tag, world.staleTagsMs);
    if (known === undefined) throw error ?? thrown;
    return { ...known, length: undefined, isStale: true };
  }
  const { headers } = answered;
  const told = headers['docker-content-digest'];
  const mediaType = headers['content-type'];
  if (told === undefined || !isDigest(told) || isSchema1(mediaType)) return undefined;
  // What the registry said of the tag it said of what the tag names.
  const claim = {
    ...claimOf(world, ask, `/v2/${name}/manifests/${told}`),
    question: { kind: 'answered', verdict } as const,
  };
  await world.admission.prove(claim, { wasOpen: false }, ask.signal);
  world.tags.set(tag, { digest: told, mediaType });
  return { digest: told, mediaType, length: verdict.facts?.length, isStale: false };
}

/** The error of a registry that did not answer; undefined where it did. */
function unreachable(thrown: unknown): ShoalError | undefined {
  const error = toShoalError(thrown);
  const codes = ['ERR_SOURCE_UNAVAILABLE', 'ERR_SOURCE_TLS', 'ERR_SOURCE_PROTOCOL'];
  if (codes.includes(error.code)) return error;
  if (!(thrown instanceof DOMException)) return undefined;
  return new ShoalError('ERR_SOURCE_UNAVAILABLE', 'the registry did not answer in time', { cause: thrown });
}

async function giveByDigest(
  world: MirrorWorld,
  ask: Ask,
  wanted: { name: string; reference: string; digest: Digest; mediaType?: string | undefined },
): Promise<void> {
  const { name, reference, digest } = wanted;
  const path = `/v2/${name}/manifests/${digest}`;
  const content = `${ask.base}${path}`;
  const etag = `"${digest}"`;
  const stop = new AbortController();
  const signal = AbortSignal.any([ask.signal, stop.signal]);
  try {
    const askedMs = world.clock.now();
    const { document, start } = await readWhole(world, ask, { path, digest, range: undefined }, signal);
    const told = [wanted.mediaType, world.admission.facts(content)?.mediaType, start.mediaType];
    const mediaType = manifestType(document, told);
    const { 'if-none-match': known } = ask.request.headers;
    ask.pull?.manifest(reference, digest);
    warnOf(ask, start, world.clock.now() - askedMs);
    const blobs = blobsNamedIn(document).map((blob) => `${ask.base}/v2/${name}/blobs/${blob}`);
    world.admission.vouch({ content, credential: ask.authorization }, blobs);
    if (known?.includes(etag)) return void ask.response.writeHead(304, { etag }).end();
    answer(ask, digest, { length: document.length, mediaType, from: start.from }, document);
    if (!ask.isHead) world.metrics.proxySent(document.length);
    if (!ask.isHead) ask.pull?.sent(document.length);
  } finally {
    stop.abort(new Error('the answer is over'));
  }
}

async function readWhole(
  world: MirrorWorld,
  ask: Ask,
  wanted: Parameters<typeof openContent>[2],
  signal: AbortSignal,
): Promise<{ document: Uint8Array; start: ContentStart }> {
  const { chunks, started } = await openContent(world, ask, wanted, signal);
  const { firstByteMs, stallMs } = world.limits;
  const parts: Uint8Array[] = [];
  let bytes = 0;
  for (
    let next = await nextWithin(chunks, firstByteMs);
    next.done !== true;
    next = await nextWithin(chunks, stallMs)
  ) {
    parts.push(next.value);
    bytes += next.value.length;
    if (bytes <= MANIFEST_BYTES) continue;
    throw new ShoalError('ERR_SOURCE_PROTOCOL', 'no manifest is as long as this');
  }
  return { document: Buffer.concat(parts), start: started() };
}

/** A manifest as the registry gives it, kept nowhere. */
async function passManifest(
  world: MirrorWorld,
  ask: Ask,
  { reference }: Manifest,
  path: string,
): Promise<void> {
  const { base, authorization, accept, via } = ask;
  const headers = { via, ...(accept !== undefined && { accept }) };
  const signal = AbortSignal.any([ask.signal, AbortSignal.timeout(world.limits.askMs)]);
  const answered = await world.registry.ask({ base, path, method: 'GET', authorization, headers }, signal);
  const verdict = verdictOf(answered);
  if (verdict.kind !== 'allowed') throw verdict.error;
  const { body } = answered;
  const told = answered.headers['docker-content-digest'];
  const digest = told !== undefined && isDigest(told) ? told : digestOf(body);
  ask.pull?.manifest(reference, digest);
  ask.response.setHeader('docker-content-digest', digest);
  const mediaType = manifestType(body, [answered.headers['content-type']]);
  passAnswer(ask, { ...answered, headers: { ...answered.headers, 'content-type': mediaType } });
}

function digestOf(body: Uint8Array): Digest {
  return `sha256:${createHash('sha256').update(body).digest('hex')}` as Digest;
}

function answer(
  { response, isHead }: Ask,
  digest: Digest,
  { length, mediaType, from }: { length: number; mediaType: string; from: ContentStart['from'] },
  document: Uint8Array | undefined,
): void {
  response.writeHead(200, {
    'content-type': mediaType,
    'content-length': length,
    'docker-content-digest': digest,
    etag: `"${digest}"`,
    'x-shoal-task': taskIdOfDigest(digest),
    'x-shoal-from': from,
  });
  response.end(isHead ? undefined : document);
}
