import { ShoalError } from '../../core/errors.ts';
import { MANIFEST_ACCEPT } from '../../core/oci-manifest.ts';
import { withHop } from '../../core/via.ts';
import type { Origin, OriginRequest, OriginSink } from '../origin.ts';
import { asksWithCredentials } from '../request-headers.ts';
import type { Authorizer, RegistryGrant } from './authorizer.ts';
import { challengeOf } from './registry-client.ts';
import { type RegistryTarget, registryTargetOf } from './target.ts';

interface RegistryOriginOptions {
  readonly inner: Origin;
  readonly authorizer: Authorizer;
  /** What this host calls itself in `Via`, so that a registry that is this host is found out: `shoal-<hostId>`. */
  readonly name: string;
}

/**
 * Reads from registries as from any origin: where the request brings no authorization of its own, it answers their
 * challenges, also in mid-read when a token has run out. Content that an anonymous token was enough for is public.
 */
export function createRegistryOrigin({ inner, authorizer, name }: RegistryOriginOptions): Origin {
  /** Runs a read as whoever the registry lets in; after a challenge once more, as often as bytes came between. */
  async function asSomebody<T>(
    target: RegistryTarget,
    request: OriginRequest,
    signal: AbortSignal,
    run: (headers: Record<string, string>) => Promise<T>,
    bytes: () => number,
  ): Promise<{ result: T; grant: RegistryGrant | undefined }> {
    const { authorization, ...others } = ownHeaders(target, request.headers, name);
    const login = authorizer.login(target, authorization);
    if (authorization !== undefined && login === undefined)
      return { result: await run({ ...others, authorization }), grant: undefined };
    const headers: Record<string, string> = others;
    let grant = await authorizer.known(target, login, signal);
    let answeredAt: number | undefined;
    for (;;) {
      try {
        const sent = grant === undefined ? headers : { ...headers, authorization: grant.authorization };
        return { result: await run(sent), grant };
      } catch (error) {
        const challenge = challengeIn(error, target);
        if (challenge === undefined) throw error;
        if (answeredAt === bytes()) {
          if (grant !== undefined) await authorizer.refused(target, grant);
          throw error;
        }
        const next = await authorizer.answer(target, challenge, login, grant, signal);
        if (next === undefined) throw error;
        grant = next;
        answeredAt = bytes();
      }
    }
  }

  return {
    async probe(request, signal) {
      const target = registryTargetOf(request.url);
      if (target === undefined) return inner.probe(request, signal);
      const run = (headers: Record<string, string>) => inner.probe({ ...request, headers }, signal);
      const { result, grant } = await asSomebody(target, request, signal, run, () => 0);
      if (result.kind !== 'content') return result;
      const isOpen =
        grant?.as !== 'configured' && !asksWithCredentials(new URL(request.url), request.headers);
      return { ...result, probed: { ...result.probed, audience: isOpen ? 'public' : 'source' } };
    },
    async read(request, sink, signal) {
      const target = registryTargetOf(request.url);
      if (target === undefined) return inner.read(request, sink, signal);
      let bytes = 0;
      const counted: OriginSink = (chunk) => {
        bytes += chunk.length;
        return sink(chunk);
      };
      const { start, end } = request.range;
      const run = (headers: Record<string, string>) =>
        inner.read({ ...request, headers, range: { start: start + bytes, end } }, counted, signal);
      await asSomebody(target, request, signal, run, () => bytes);
    },
    allows: (url) => inner.allows(url),
    close: () => inner.close(),
  };
}

function ownHeaders(
  target: RegistryTarget,
  given: Readonly<Record<string, string>>,
  name: string,
): Record<string, string> {
  const headers: Record<string, string> = {};
  for (const [key, value] of Object.entries(given)) headers[key.toLowerCase()] = value;
  headers['via'] = withHop(headers['via'], name);
  if (target.isManifest) headers['accept'] ??= MANIFEST_ACCEPT;
  return headers;
}

function challengeIn(error: unknown, target: RegistryTarget): string | undefined {
  if (!(error instanceof ShoalError) || error.code !== 'ERR_SOURCE_REFUSED') return undefined;
  const { status, origin, headers } = error.details as {
    status?: unknown;
    origin?: unknown;
    headers?: Readonly<Record<string, string>>;
  };
  return challengeOf(target, status, headers?.['www-authenticate'], origin);
}
