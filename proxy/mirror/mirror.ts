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
import { passThrough } from './pass.ts';
import type { Pull } from './pull-book.ts';
import { type MirrorRoute, parseMirrorRoute, upstreamPath } from './route.ts';

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
    try {
      refuseMethod(asked);
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
      await this.#give(this.#askOf(asked, route, pull), route);
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
    return {
      ...asked,
      ...chainOf(headerOf(asked, 'via'), this.#world.hostId),
      registry: registry ?? '',
      base: registry === undefined ? '' : registryBase(registry, this.#world.registries),
      authorization: asked.request.headers.authorization,
      accept: acceptOf(asked, wanted),
      wanted,
      pull,
    };
  }

  async #give(ask: Ask, route: MirrorRoute): Promise<void> {
    const { resource } = route;
    if (route.registry === undefined) {
      if (resource.kind === 'base') return passEmpty(ask);
      const how = 'name one with ?ns=, as the first part of the path, or with --default-registry';
      throw new OciRefusal(404, 'NAME_UNKNOWN', `which registry is not said: ${how}`);
    }
    const path = upstreamPath(resource);
    switch (resource.kind) {
      case 'blob':
        return giveBlob(this.#world, ask, { path, digest: resource.digest });
      case 'manifest':
        return giveManifest(this.#world, ask, resource);
      default:
        return passThrough(this.#world, ask, path, (target) => mirroredTarget(target, route));
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
    sendRefusal(asked.response, refusal, asked.isHead);
  }
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

function refuseMethod({ request, response }: ProxyRequest): void {
  if (request.method !== 'GET' && request.method !== 'HEAD') {
    response.setHeader('connection', 'close');
    const message = 'a mirror is for pulling: push to the registry itself';
    throw new OciRefusal(405, 'UNSUPPORTED', message, { headers: { allow: 'GET, HEAD' } });
  }
  if (!hasBody(request)) return;
  response.setHeader('connection', 'close');
  throw new OciRefusal(400, 'UNSUPPORTED', `a ${request.method} has no body`);
}

/** `/v2/` of a mirror that has no upstream to ask: it speaks the protocol. */
function passEmpty({ response, isHead }: Ask): void {
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
