import { createHash } from 'node:crypto';
import { z } from 'zod';
import { ShoalError } from '../../core/errors.ts';
import { parseDigest } from '../../core/ids.ts';
import { blobsOf, listedDigest, MANIFEST_ACCEPT, parseManifest } from '../../core/oci-manifest.ts';
import type { ImageReference } from '../../core/oci-reference.ts';
import { segmentOfRegistry } from '../../core/registry-names.ts';

/** One small blob that came through a daemon, and is what its digest says. */
export interface PullTest {
  readonly image: string;
  readonly digest: string;
  readonly bytes: number;
  readonly durationMs: number;
  /** As `X-Shoal-From` says it. */
  readonly from: string;
}

interface Pulling {
  /** How the client names a registry to its mirror: by `?ns=`, in the path, or not at all. */
  readonly namedBy: 'ns' | 'path' | 'nobody';
  /** The daemon's proxy port. */
  readonly proxy: string;
  readonly reference: Pick<ImageReference, 'registry' | 'repository'>;
  /** A tag or a digest. */
  readonly version: string;
}

const PULL_MS = 30_000;
const refusal = z.object({ errors: z.array(z.object({ message: z.string() })).min(1) });

/**
 * Pulls the smallest blob of an image as the client will ask for it.
 * @throws ERR_CONFIG_GOES_AROUND with what the daemon answered
 */
export async function pullTest(pulling: Pulling): Promise<PullTest> {
  const { reference, version } = pulling;
  const began = performance.now();
  const signal = AbortSignal.timeout(PULL_MS);
  let given = await ask(pulling, `manifests/${version}`, signal);
  let manifest = parseManifest(given.body, given.type);
  if (manifest.kind === 'index') {
    const [first] = manifest.manifests;
    if (first === undefined) throw goesAround('the image has no manifest');
    given = await ask(pulling, `manifests/${listedDigest(first)}`, signal);
    manifest = parseManifest(given.body, given.type);
  }
  const blobs = blobsOf(manifest).filter(({ foreign }) => !foreign);
  const [smallest] = blobs.toSorted((a, b) => a.size - b.size);
  if (smallest === undefined) throw goesAround('the image has no blob');
  const { body, from } = await ask(pulling, `blobs/${smallest.digest}`, signal);
  const [algorithm = '', hex] = smallest.digest.split(':');
  if (createHash(algorithm).update(body).digest('hex') !== hex)
    throw goesAround(`what came is not ${parseDigest(smallest.digest)}`);
  return {
    image: `${reference.registry}/${reference.repository}:${version}`,
    digest: smallest.digest,
    bytes: body.length,
    durationMs: Math.round(performance.now() - began),
    from,
  };
}

async function ask({ namedBy, proxy, reference, version }: Pulling, what: string, signal: AbortSignal) {
  const { registry, repository } = reference;
  const path = `/v2/${namedBy === 'path' ? `${segmentOfRegistry(registry)}/` : ''}${repository}/${what}`;
  const query = namedBy === 'ns' ? `?ns=${encodeURIComponent(registry)}` : '';
  let answer: Response;
  let body: Buffer;
  try {
    answer = await fetch(`${proxy}${path}${query}`, { headers: { accept: MANIFEST_ACCEPT }, signal });
    body = Buffer.from(await answer.arrayBuffer());
  } catch (error) {
    const { cause } = error instanceof Error ? error : {};
    const why = cause instanceof Error ? cause.message : error instanceof Error ? error.message : '';
    throw goesAround(`no answer from the daemon's proxy port ${proxy}: ${why}`);
  }
  if (answer.ok) {
    const type = answer.headers.get('content-type') ?? undefined;
    return { body, type, from: answer.headers.get('x-shoal-from') ?? 'unknown' };
  }
  const said = refusal.safeParse(parseJson(body));
  const why = said.data?.errors[0]?.message ?? answer.statusText;
  const { status } = answer;
  throw goesAround(`${registry}/${repository}:${version} is answered with ${status}: ${why}`, { status });
}

function parseJson(body: Buffer): unknown {
  try {
    return JSON.parse(body.toString());
  } catch {
    return undefined;
  }
}

function goesAround(why: string, details: Readonly<Record<string, unknown>> = {}): ShoalError {
  return new ShoalError('ERR_CONFIG_GOES_AROUND', why, { details });
}
