import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Access } from '../../actors/client/access.ts';
import type { Downloads } from '../../actors/client/downloads.ts';
import type { Clock } from '../../core/clock.ts';
import type { ShoalError } from '../../core/errors.ts';
import type { Logger } from '../../core/logger.ts';
import type { HostMetrics, ProxyRoute } from '../../core/metrics.ts';
import type { AddressPolicy } from '../../origins/address-policy.ts';
import type { ResolveName } from '../../origins/connections.ts';
import type { Origin } from '../../origins/origin.ts';
import type { ForwardHandler } from '../forward-handler.ts';
import { loadCa } from './ca.ts';
import { createConnect } from './connect.ts';
import { passOn } from './direct.ts';
import { cameThrough, viaName } from './headers.ts';
import { createInterceptor } from './intercept.ts';
import { FORWARD_LIMITS, type ForwardLimits } from './limits.ts';
import { createPrefixes } from './prefix.ts';
import { answerRefusal, type Refusal, refusal, refusalOf } from './reply.ts';
import type { ForwardRule } from './rule.ts';
import { type Choice, createRules } from './rules.ts';
import { fitsSwarm, giveFromSwarm, type SwarmEnd } from './swarm.ts';
import { type Target, targetOf } from './target.ts';
import { createUpstream } from './upstream.ts';

/** What the forward proxy is made of. */
export interface ForwardOptions {
  readonly hostId: string;
  readonly downloads: Pick<Downloads, 'stream'>;
  readonly access: Access;
  readonly origin: Origin;
  readonly policy: AddressPolicy;
  readonly clock: Clock;
  readonly metrics: Pick<HostMetrics, 'proxyAnswered' | 'proxySent'>;
  readonly logger: Logger;
  /** Before the default ones. */
  readonly rules: readonly ForwardRule[];
  /** Ports that CONNECT may go to. */
  readonly connectPorts: readonly number[];
  /** Origins of `/blobs/<URL>`, as `HOST[:PORT]`. */
  readonly prefixOrigins: readonly string[];
  /** PEM files of a CA, so that HTTPS is looked into; absent: it is tunnelled. */
  readonly ca?: { readonly certFile: string; readonly keyFile: string } | undefined;
  /** Certificates that origins may show beside those of the system, PEM. */
  readonly originCa?: readonly string[] | undefined;
  /** Absent: the system's. */
  readonly resolve?: ResolveName | undefined;
  /** Others than `FORWARD_LIMITS`. */
  readonly limits?: Partial<ForwardLimits>;
}

/** The forward proxy of one host. */
export interface Forward extends ForwardHandler {
  close(): Promise<void>;
}

const DIRECT: Choice = { use: 'direct' };
const SWARM: Choice = { use: 'swarm', filteredQuery: [] };

/** @throws ERR_CONFIG_INVALID where a rule, the CA or an origin is not valid */
export async function createForward(options: ForwardOptions): Promise<Forward> {
  const { logger, metrics, clock } = options;
  const via = viaName(options.hostId);
  const rules = createRules(options.rules);
  const prefixes = createPrefixes(options.prefixOrigins);
  const limits = { ...FORWARD_LIMITS, ...options.limits };
  const { policy, originCa, resolve } = options;
  const upstream = createUpstream({ policy, limits, ca: originCa, resolve });
  const swarm = { ...options, via, limits };
  const ca = options.ca && (await loadCa(options.ca.certFile, options.ca.keyFile));

  function told(route: ProxyRoute, startedMs: number, target: Target | undefined, facts: Ended): void {
    const { status, bytes, ...more } = facts;
    metrics.proxyAnswered(route, status);
    const place = target && { host: target.url.host, path: target.url.pathname.slice(0, 200) };
    logger.debug(
      { route, ...place, status, bytes, ms: Math.round(clock.now() - startedMs), ...more },
      'proxied',
    );
  }

  function refuse(
    route: ProxyRoute,
    response: ServerResponse,
    startedMs: number,
    why: Refusal,
    target?: Target,
  ): void {
    answerRefusal(response, why);
    told(route, startedMs, target, { status: why.status, bytes: 0, from: 'nobody', error: why.code });
  }

  async function give(
    route: ProxyRoute,
    target: Target,
    request: IncomingMessage,
    response: ServerResponse,
    choice: Choice,
  ) {
    const startedMs = clock.now();
    let declined: ShoalError | undefined;
    if (choice.use === 'swarm') {
      const isHead = request.method === 'HEAD';
      const how = { isHead, filteredQuery: choice.filteredQuery };
      const end = await giveFromSwarm(swarm, target, request, response, how, (count) =>
        metrics.proxySent(count),
      );
      if (!('declined' in end)) return told(route, startedMs, target, swarmFacts(end));
      declined = end.declined;
      if (response.destroyed) return told(route, startedMs, target, { status: 0, bytes: 0, from: 'nobody' });
      if (declined.code === 'ERR_TASK_RANGE')
        return outOfRange(route, response, startedMs, declined, target, isHead);
      // Asked straight, the origin would only send the client where this host does not go.
      if (isClosedHere(declined)) return refuse(route, response, startedMs, refusalOf(declined), target);
      logger.debug(
        { host: target.url.host, err: declined },
        'the swarm declined; the origin is asked straight',
      );
    }
    const end = await passOn(
      {
        upstream,
        via,
        onSent: (count) => metrics.proxySent(count),
        judgesRedirects: route === 'prefix',
      },
      target,
      request,
      response,
    );
    const why = declined && { declined: declined.code };
    const error = end.error === undefined ? undefined : { error: (end.error as Error).message };
    told(route, startedMs, target, {
      status: end.status ?? 0,
      bytes: end.bytes,
      from: 'direct',
      ...why,
      ...error,
    });
  }

  /** Whether an address was refused by this host; what another one refuses, this one may read. */
  function isClosedHere({ code, details }: ShoalError): boolean {
    const { host, port, address } = details;
    if (code !== 'ERR_SOURCE_ADDRESS_REFUSED' || typeof host !== 'string' || typeof port !== 'number') {
      return false;
    }
    return typeof address === 'string'
      ? !policy.allowsAddress(host, port, address)
      : !policy.allowsHost(host, port);
  }

  function outOfRange(
    route: ProxyRoute,
    response: ServerResponse,
    startedMs: number,
    error: ShoalError,
    target: Target,
    isHead: boolean,
  ): void {
    const { length } = error.details as { length?: number };
    // The first byte of what is empty, asked for to learn of its length.
    const status = isHead ? 200 : 416;
    response.writeHead(
      status,
      isHead ? { 'content-length': 0 } : { 'content-range': `bytes */${length}`, 'content-length': 0 },
    );
    response.end();
    told(route, startedMs, target, { status, bytes: 0, from: 'swarm' });
  }

  function begin(
    route: ProxyRoute,
    text: string,
    request: IncomingMessage,
    response: ServerResponse,
  ): Target | undefined {
    const startedMs = clock.now();
    let why: Refusal | undefined;
    if (request.method === 'TRACE') why = refusal(405, 'TRACE is refused');
    else if (cameThrough(request, via)) why = refusal(508, 'this request came through this proxy already');
    try {
      if (why === undefined) return targetOf(text);
    } catch (error) {
      why = refusalOf(error);
    }
    refuse(route, response, startedMs, why ?? refusal(400, 'not a request'));
    return undefined;
  }

  function answer(
    route: ProxyRoute,
    target: Target,
    request: IncomingMessage,
    response: ServerResponse,
  ): void {
    const choice = fitsSwarm(request) ? rules.choose(request.method ?? '', target.url) : DIRECT;
    run(response, give(route, target, request, response, choice));
  }

  function run(response: ServerResponse, work: Promise<void>): void {
    work.catch((error: unknown) => {
      logger.error({ err: error }, 'a request to the proxy failed in an unexpected way');
      answerRefusal(response, refusalOf(error));
    });
  }

  const interceptor = createInterceptor(limits, (target, request, response) => {
    if (begin('forward', target.url.href, request, response)) answer('forward', target, request, response);
  });
  const connect = createConnect({
    upstream,
    via,
    rules,
    ports: options.connectPorts,
    limits,
    intercept: ca && { ca, interceptor },
    onEnd: ({ authority, kind, status, up, down }) => {
      metrics.proxyAnswered('connect', status);
      if (kind === 'tunnel') metrics.proxySent(down);
      logger.debug({ route: 'connect', host: authority, kind, up, bytes: down, status }, 'proxied');
    },
  });

  return {
    request(request, response) {
      const target = begin('forward', request.url ?? '', request, response);
      if (target) answer('forward', target, request, response);
    },
    connect,
    prefix(request, response) {
      const startedMs = clock.now();
      const { method = '' } = request;
      const target = begin('prefix', prefixes.urlIn(request.url ?? ''), request, response);
      if (target === undefined) return;
      if (method !== 'GET' && method !== 'HEAD') {
        return refuse(
          'prefix',
          response,
          startedMs,
          refusal(405, 'GET and HEAD alone are answered here'),
          target,
        );
      }
      const closed = prefixes.refuses(target);
      if (closed !== undefined) return refuse('prefix', response, startedMs, closed, target);
      run(response, give('prefix', target, request, response, fitsSwarm(request) ? SWARM : DIRECT));
    },
    async close() {
      upstream.close();
    },
  };
}

interface Ended {
  /** 0: the client went away before. */
  readonly status: number;
  readonly bytes: number;
  readonly from: 'cache' | 'swarm' | 'direct' | 'nobody';
  readonly [name: string]: unknown;
}

function swarmFacts({ status, bytes, start, result, error }: SwarmEnd): Ended {
  const { taskId, from } = start;
  const sources = result && {
    origin: result.bytes.origin,
    peers: result.bytes.peers,
    local: result.bytes.local,
  };
  const failure = error === undefined ? undefined : { error: (error as Error).message };
  return { status, bytes, from, taskId, ...sources, ...failure };
}
