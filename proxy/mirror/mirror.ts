import type { IncomingMessage, ServerResponse } from 'node:http';
import { ShoalError } from '../../core/errors.ts';
import type { ProxyRoute } from '../../core/metrics.ts';
import { MANIFEST_ACCEPT } from '../../core/oci-manifest.ts';
import { segmentOfRegistry } from '../../core/registry-segment.ts';
import { hasBody } from '../framing.ts';
import { giveBlob } from './blob.ts';
import { giveManifest } from './manifest.ts';
import type { Ask, MirrorWorld } from './mirror-world.ts';
import { Refusal, refusalOf, sendRefusal, type Wanted } from './oci-error.ts';
import { passThrough } from './pass.ts';
import { Proofs } from './proof.ts';
import type { Pull } from './pull-book.ts';
import { parseRoute, type Route, upstreamPath } from './route.ts';
import { registryBase } from './upstream.ts';
import { chainOf } from './via.ts';

/** The registry mirror: answers requests to `/v2/…`, for any number of upstream registries. */
export class Mirror {
  readonly #world: MirrorWorld;
  readonly #proofs: Proofs;
  #running = 0;

  constructor(world: MirrorWorld) {
    this.#world = world;
    this.#proofs = new Proofs(world);
  }

  /** Answers a request; never throws. */
  handle(request: IncomingMessage, response: ServerResponse): void {
    const { metrics } = this.#world;
    let route: ProxyRoute = 'invalid';
    response.on('close', () => metrics.proxyAnswered(route, response.headersSent ? response.statusCode : 0));
    response.setHeader('docker-distribution-api-version', 'registry/2.0');
    response.setHeader('x-content-type-options', 'nosniff');
    const isHead = request.method === 'HEAD';
    try {
      refuseMethod(request, response);
      const parsed = parseRoute(
        request.url ?? '',
        headerOf(request, 'x-shoal-registry'),
        this.#world.defaultRegistry,
      );
      route = parsed.resource.kind;
      void this.#answer(parsed, request, response, isHead);
    } catch (error) {
      sendRefusal(response, refusalOf(error, 'other'), isHead);
    }
  }

  async #answer(
    route: Route,
    request: IncomingMessage,
    response: ServerResponse,
    isHead: boolean,
  ): Promise<void> {
    const { kind } = route.resource;
    const wanted: Wanted = kind === 'blob' || kind === 'manifest' ? kind : 'other';
    const gone = new AbortController();
    response.on('close', () => {
      if (!response.writableFinished) gone.abort(new ShoalError('ERR_CANCELLED', 'the client went away'));
    });
    const pull = this.#pullOf(route, request);
    const ended = pull?.begin();
    this.#running += 1;
    try {
      if (this.#running > this.#world.limits.streams) {
        throw new Refusal(503, 'UNAVAILABLE', 'this mirror gives as much as it can to others');
      }
      if (route.namedBy === 'ns' && route.registry !== undefined)
        response.setHeader('oci-namespace', route.registry);
      await this.#give(route, this.#askOf(route, request, response, isHead, wanted, pull, gone.signal));
    } catch (error) {
      this.#failed(route, error, { response, isHead, wanted, pull, isGone: gone.signal.aborted });
    } finally {
      this.#running -= 1;
      ended?.();
    }
  }

  #askOf(
    { registry }: Route,
    request: IncomingMessage,
    response: ServerResponse,
    isHead: boolean,
    wanted: Wanted,
    pull: Pull | undefined,
    signal: AbortSignal,
  ): Ask {
    const chain = chainOf(headerOf(request, 'via'), this.#world.hostId);
    const base = registry === undefined ? '' : registryBase(registry, this.#world.registries);
    const { authorization } = request.headers;
    const accept = acceptOf(request, wanted);
    const about = {
      registry: registry ?? '',
      base,
      authorization,
      accept,
      ...chain,
      wanted,
      pull,
      signal,
    };
    return { request, response, isHead, ...about };
  }

  async #give(route: Route, ask: Ask): Promise<void> {
    const { resource } = route;
    if (route.registry === undefined) {
      if (resource.kind === 'base') return passEmpty(ask);
      const how = 'name one with ?ns=, as the first part of the path, or with --default-registry';
      throw new Refusal(404, 'NAME_UNKNOWN', `which registry is not said: ${how}`);
    }
    const path = upstreamPath(resource);
    switch (resource.kind) {
      case 'blob':
        return giveBlob(this.#world, this.#proofs, ask, { path, digest: resource.digest });
      case 'manifest':
        return giveManifest(this.#world, this.#proofs, ask, resource);
      default:
        return passThrough(this.#world, ask, path, (target) => mirroredTarget(target, route));
    }
  }

  #pullOf({ resource, registry }: Route, { socket }: IncomingMessage): Pull | undefined {
    if (registry === undefined || (resource.kind !== 'blob' && resource.kind !== 'manifest'))
      return undefined;
    const client = socket.remoteAddress ?? '';
    return this.#world.book.open({ client, registry, repository: resource.name });
  }

  #failed(
    { resource, registry }: Route,
    error: unknown,
    at: {
      response: ServerResponse;
      isHead: boolean;
      wanted: Wanted;
      pull: Pull | undefined;
      isGone: boolean;
    },
  ): void {
    const { response, isHead, wanted, pull, isGone } = at;
    const refusal = refusalOf(error, wanted);
    const what =
      resource.kind === 'manifest' ? resource.reference : resource.kind === 'blob' ? resource.digest : '';
    const code = isGone ? 'CANCELLED' : refusal.code;
    pull?.failed(what, { code, message: isGone ? 'the client went away' : refusal.message });
    const fields = { registry, kind: resource.kind, what, status: refusal.status, err: error };
    if (refusal.status >= 500 && !isGone)
      this.#world.logger.warn(fields, 'the mirror could not give what was asked for');
    else this.#world.logger.debug(fields, 'the mirror refused');
    sendRefusal(response, refusal, isHead);
  }
}

/** A client that does not say what it reads is one that reads anything; registries give it what was first. */
function acceptOf({ headers: { accept } }: IncomingMessage, wanted: Wanted): string | undefined {
  return wanted === 'manifest' && (accept === undefined || accept.trim() === '*/*')
    ? MANIFEST_ACCEPT
    : accept;
}

function refuseMethod(request: IncomingMessage, response: ServerResponse): void {
  if (request.method !== 'GET' && request.method !== 'HEAD') {
    response.setHeader('connection', 'close');
    const message = 'a mirror is for pulling: push to the registry itself';
    throw new Refusal(405, 'UNSUPPORTED', message, { headers: { allow: 'GET, HEAD' } });
  }
  if (!hasBody(request)) return;
  response.setHeader('connection', 'close');
  throw new Refusal(400, 'UNSUPPORTED', `a ${request.method} has no body`);
}

function headerOf({ headers }: IncomingMessage, name: string): string | undefined {
  const value = headers[name];
  return Array.isArray(value) ? value.join(', ') : value;
}

/** `/v2/` of a mirror that has no upstream to ask: it speaks the protocol. */
function passEmpty({ response, isHead }: Ask): void {
  const body = '{}';
  response.writeHead(200, { 'content-type': 'application/json', 'content-length': body.length });
  response.end(isHead ? undefined : body);
}

/** A registry's path as the client asks this mirror for it. */
function mirroredTarget(target: string, { registry = '', namedBy }: Route): string {
  if (namedBy === 'path') return target.replace(/^\/v2\//, `/v2/${segmentOfRegistry(registry)}/`);
  if (namedBy !== 'ns') return target;
  return `${target}${target.includes('?') ? '&' : '?'}ns=${encodeURIComponent(registry)}`;
}
