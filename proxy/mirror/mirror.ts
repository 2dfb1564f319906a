import type { ProxyRoute } from '../../core/metrics.ts';
import { MANIFEST_ACCEPT } from '../../core/oci-manifest.ts';
import { registryBase } from '../../core/registry-names.ts';
import { hasBody } from '../framing.ts';
import { headerOf, type ProxyRequest } from '../request.ts';
import { giveBlob } from './blob.ts';
import { chainOf } from './chain.ts';
import { giveManifest } from './manifest.ts';
import type { Ask, MirrorWorld } from './mirror-world.ts';
import { OciRefusal, ociRefusalOf, sendRefusal, type Wanted } from './oci-error.ts';
import { isChallengedHere, ownChallenge } from './own-challenge.ts';
import { passThrough } from './pass.ts';
import type { Pull } from './pull-book.ts';
import { withWords } from './refusal-words.ts';
import { type MirrorRoute, parseMirrorRoute, upstreamPath } from './route.ts';
import { asksForToken, giveToken } from './token-door.ts';

/** The registry mirror: answers requests to `/v2/…`, for any number of upstream registries. */
export class Mirror {
  readonly #world: MirrorWorld;
  #running = 0;

  constructor(world: MirrorWorld) {
    this.#world = world;
  }

  /** Answers a request; never throws. */
  handle(asked: ProxyRequest): void {
    const { request, response, isHead } = asked;
    const { metrics, defaultRegistry, registries } = this.#world;
    let kind: ProxyRoute = 'invalid';
    response.on('close', () => metrics.proxyAnswered(kind, response.headersSent ? response.statusCode : 0));
    response.setHeader('docker-distribution-api-version', 'registry/2.0');
    response.setHeader('x-content-type-options', 'nosniff');
    if (asksForToken(request.url ?? '')) {
      kind = 'token';
      return void this.#giveToken(asked);
    }
    try {
      refuseMethod(asked, 'GET', 'HEAD');
      const named = headerOf(asked, 'x-shoal-registry');
      const route = parseMirrorRoute(request.url ?? '', named, defaultRegistry, registries);
      kind = route.resource.kind;
      void this.#answer(asked, route);
    } catch (error) {
      sendRefusal(response, ociRefusalOf(error, 'other'), isHead);
    }
  }

  async #answer(asked: ProxyRequest, route: MirrorRoute): Promise<void> {
    const { response } = asked;
    const pull = this.#pullOf(asked, route);
    const ended = pull?.begin();
    this.#running += 1;
    try {
      if (this.#running > this.#world.limits.streams) {
        throw new OciRefusal(503, 'UNAVAILABLE', 'this mirror gives as much as it can to others');
      }
      if (route.namedBy === 'ns' && route.registry !== undefined)
        response.setHeader('oci-namespace', route.registry);
      if (isGreeting(route)) this.#greet(asked, route);
      else await this.#give(this.#askOf(asked, route, pull), route);
    } catch (error) {
      this.#failed(asked, route, pull, error);
    } finally {
      this.#running -= 1;
      ended?.();
    }
  }

  #askOf(asked: ProxyRequest, route: MirrorRoute, pull: Pull | undefined): Ask {
    const { registry } = route;
    const wanted = wantedOf(route);
    const base = registry === undefined ? undefined : registryBase(registry, this.#world.registries);
    const { authorization } = this.#shown(asked, route, base);
    return {
      ...asked,
      ...chainOf(headerOf(asked, 'via'), this.#world.hostId),
      registry: registry ?? '',
      base: base ?? '',
      authorization,
      challenge: isChallengedHere(asked, route) ? ownChallenge(asked, route) : undefined,
      accept: acceptOf(asked, wanted),
      wanted,
      pull,
    };
  }

  async #give(ask: Ask, route: MirrorRoute): Promise<void> {
    const { resource } = route;
    if (route.registry === undefined) {
      const how = 'name one with ?ns=, as the first part of the path, or with --default-registry';
      throw new OciRefusal(404, 'NAME_UNKNOWN', `which registry is not said: ${how}`);
    }
    const path = upstreamPath(resource);
    if (resource.kind !== 'blob' && resource.kind !== 'manifest')
      return passThrough(this.#world, ask, path, (target) => mirroredTarget(target, route));
    try {
      if (resource.kind === 'manifest') await giveManifest(this.#world, ask, resource);
      else await giveBlob(this.#world, ask, { path, digest: resource.digest });
    } catch (error) {
      throw await withWords(this.#world, ask, path, error);
    }
  }

  /** What the client's header is worth here. @throws OciRefusal 401 for a token of this mirror that is good for nothing */
  #shown(asked: ProxyRequest, route: MirrorRoute, base: string | undefined) {
    const shown = this.#world.tokens.read(asked.request.headers.authorization, base);
    if (!('fault' in shown)) return shown;
    const headers = { 'www-authenticate': ownChallenge(asked, route, shown.fault) };
    const why =
      shown.fault === 'invalid_token' ? 'this token has ended' : 'this token is for another registry';
    throw new OciRefusal(401, 'UNAUTHORIZED', why, { headers });
  }

  /**
   * From `/v2/` clients learn whom to show credentials. One that shows some already is not asked again, and they go to
   * nobody; one whose login could be read on its way is not asked at all.
   * @throws OciRefusal
   */
  #greet(asked: ProxyRequest, route: MirrorRoute): void {
    this.#shown(asked, route, undefined);
    const isShown = asked.request.headers.authorization !== undefined;
    if (isShown || !isChallengedHere(asked, route)) return passEmpty(asked);
    const headers = { 'www-authenticate': ownChallenge(asked, route) };
    throw new OciRefusal(401, 'UNAUTHORIZED', 'a token is asked for, which everybody is given', { headers });
  }

  async #giveToken(asked: ProxyRequest): Promise<void> {
    try {
      refuseMethod(asked, 'GET', 'HEAD', 'POST');
      await giveToken(this.#world, asked);
    } catch (error) {
      asked.response.setHeader('connection', 'close');
      sendRefusal(asked.response, ociRefusalOf(error, 'other'), asked.isHead);
    }
  }

  #pullOf({ request }: ProxyRequest, { resource, registry }: MirrorRoute): Pull | undefined {
    if (registry === undefined || (resource.kind !== 'blob' && resource.kind !== 'manifest'))
      return undefined;
    const client = request.socket.remoteAddress ?? '';
    return this.#world.book.open({ client, registry, repository: resource.name });
  }

  #failed(asked: ProxyRequest, route: MirrorRoute, pull: Pull | undefined, error: unknown): void {
    const { resource, registry } = route;
    const isGone = asked.signal.aborted;
    const refusal = ociRefusalOf(error, wantedOf(route));
    const what =
      resource.kind === 'manifest' ? resource.reference : resource.kind === 'blob' ? resource.digest : '';
    const code = isGone ? 'CANCELLED' : refusal.code;
    pull?.failed(what, { code, message: isGone ? 'the client went away' : refusal.message });
    const fields = { registry, kind: resource.kind, what, status: refusal.status, err: error };
    if ((refusal.status >= 500 || refusal.status === 429) && !isGone)
      this.#world.logger.warn(fields, 'the mirror could not give what was asked for');
    else this.#world.logger.debug(fields, 'the mirror refused');
    const isOwn = refusal.status === 401 && isChallengedHere(asked, route) && !(error instanceof OciRefusal);
    sendRefusal(asked.response, isOwn ? challenged(refusal, asked, route) : refusal, asked.isHead);
  }
}

/** A registry's refusal, with the challenge of this mirror. */
function challenged(refusal: OciRefusal, asked: ProxyRequest, route: MirrorRoute): OciRefusal {
  const { status, code, message, detail, body } = refusal;
  const headers = { ...refusal.headers, 'www-authenticate': ownChallenge(asked, route) };
  return new OciRefusal(status, code, message, { headers, detail, ...(body !== undefined && { body }) });
}

/** `/v2/` that is for no registry but, at most, the one that is meant where none is named. */
function isGreeting({ resource, namedBy }: MirrorRoute): boolean {
  return resource.kind === 'base' && (namedBy === 'default' || namedBy === 'nobody');
}

function wantedOf({ resource: { kind } }: MirrorRoute): Wanted {
  return kind === 'blob' || kind === 'manifest' ? kind : 'other';
}

/** A client that does not say what it reads is one that reads anything; registries give it what was first. */
function acceptOf({ request }: ProxyRequest, wanted: Wanted): string | undefined {
  const { accept } = request.headers;
  return wanted === 'manifest' && (accept === undefined || accept.trim() === '*/*')
    ? MANIFEST_ACCEPT
    : accept;
}

function refuseMethod({ request, response }: ProxyRequest, ...allowed: readonly string[]): void {
  const { method = '' } = request;
  if (!allowed.includes(method)) {
    response.setHeader('connection', 'close');
    const message = 'a mirror is for pulling: push to the registry itself';
    throw new OciRefusal(405, 'UNSUPPORTED', message, { headers: { allow: allowed.join(', ') } });
  }
  if (method === 'POST' || !hasBody(request)) return;
  response.setHeader('connection', 'close');
  throw new OciRefusal(400, 'UNSUPPORTED', `a ${method} has no body`);
}

/** The mirror speaks the protocol. */
function passEmpty({ response, isHead }: ProxyRequest): void {
  const body = '{}';
  response.writeHead(200, { 'content-type': 'application/json', 'content-length': body.length });
  response.end(isHead ? undefined : body);
}

/** A registry's path as the client asks this mirror for it. */
function mirroredTarget(target: string, { registry = '', namedBy }: MirrorRoute): string {
  // With its colon a port cannot be taken for part of a repository.
  if (namedBy === 'path') return target.replace(/^\/v2\//, `/v2/${registry}/`);
  if (namedBy !== 'ns') return target;
  return `${target}${target.includes('?') ? '&' : '?'}ns=${encodeURIComponent(registry)}`;
}
