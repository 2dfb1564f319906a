import type { Downloads } from '../../actors/client/downloads.ts';
import type { Clock } from '../../core/clock.ts';
import type { Logger } from '../../core/logger.ts';
import type { HostMetrics } from '../../core/metrics.ts';
import { hopsOf, viaName } from '../../core/via.ts';
import type { AddressPolicy } from '../../origins/address-policy.ts';
import type { ResolveName } from '../../origins/connections.ts';
import type { ProxyChoice } from '../../origins/way/proxy-choice.ts';
import type { ForwardHandler } from '../forward-handler.ts';
import type { ProxyRequest } from '../request.ts';
import { loadCa } from './ca.ts';
import { createConnect } from './connect.ts';
import type { Arrival, ForwardAsk, ForwardWorld } from './forward-world.ts';
import { give, refuse } from './give.ts';
import { createInterceptor } from './intercept.ts';
import { FORWARD_LIMITS, type ForwardLimits } from './limits.ts';
import { createPrefixes } from './prefix.ts';
import { answerRefusal, cameBefore, type Refusal, refusal, refusalOf } from './reply.ts';
import type { ForwardRule } from './rule.ts';
import { createRules, type RuleChoice } from './rules.ts';
import { fitsSwarm } from './swarm.ts';
import { originTargetOf } from './target.ts';
import { createUpstream } from './upstream.ts';

/** What the forward proxy is made of. */
export interface ForwardOptions {
  readonly hostId: string;
  readonly downloads: Pick<Downloads, 'stream'>;
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
  /** Through which origins are asked; absent: none. */
  readonly proxy?: ProxyChoice | undefined;
  /** Others than `FORWARD_LIMITS`. */
  readonly limits?: Partial<ForwardLimits>;
}

/** The forward proxy of one host. */
export interface Forward extends ForwardHandler {
  close(): Promise<void>;
}

const DIRECT: RuleChoice = { use: 'direct' };
const SWARM: RuleChoice = { use: 'swarm', filteredQuery: [] };

/** @throws ERR_CONFIG_INVALID where a rule, the CA or an origin is not valid */
export async function createForward(options: ForwardOptions): Promise<Forward> {
  const { logger, metrics, clock, downloads, policy, originCa, resolve, proxy } = options;
  const via = viaName(options.hostId);
  const rules = createRules(options.rules);
  const prefixes = createPrefixes(options.prefixOrigins);
  const limits = { ...FORWARD_LIMITS, ...options.limits };
  const upstream = createUpstream({ policy, limits, ca: originCa, resolve, proxy });
  const ca = options.ca && (await loadCa(options.ca.certFile, options.ca.keyFile));
  const world: ForwardWorld = { downloads, upstream, policy, via, clock, metrics, logger, limits };

  /** The request with its target; undefined where it was refused. */
  function begin(asked: ProxyRequest, route: Arrival['route'], text: string): ForwardAsk | undefined {
    const { request } = asked;
    const arrival = { ...asked, route, startedMs: clock.now() };
    let why: Refusal;
    if (request.method === 'TRACE') why = refusal(405, 'TRACE is refused');
    else if (hopsOf(request.headers.via).includes(via)) why = cameBefore();
    else {
      try {
        return { ...arrival, target: originTargetOf(text) };
      } catch (error) {
        why = refusalOf(error);
      }
    }
    refuse(world, arrival, why);
    return undefined;
  }

  function answer(asked: ProxyRequest, text: string): void {
    const ask = begin(asked, 'forward', text);
    if (ask === undefined) return;
    const { request, target } = ask;
    run(ask, fitsSwarm(request) ? rules.choose(request.method ?? '', target.url) : DIRECT);
  }

  function run(ask: ForwardAsk, choice: RuleChoice): void {
    give(world, ask, choice).catch((error: unknown) => {
      logger.error({ err: error }, 'a request to the proxy failed in an unexpected way');
      answerRefusal(ask.response, refusalOf(error));
    });
  }

  const interceptor = createInterceptor(limits, (target, asked) => answer(asked, target.url.href));
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
    request: (asked) => answer(asked, asked.request.url ?? ''),
    connect,
    prefix(asked) {
      const { method = '', url = '' } = asked.request;
      const ask = begin(asked, 'prefix', prefixes.urlIn(url));
      if (ask === undefined) return;
      if (method !== 'GET' && method !== 'HEAD') {
        return refuse(world, ask, refusal(405, 'GET and HEAD alone are answered here'));
      }
      const closed = prefixes.refuses(ask.target);
      if (closed !== undefined) return refuse(world, ask, closed);
      run(ask, fitsSwarm(ask.request) ? SWARM : DIRECT);
    },
    async close() {
      upstream.close();
    },
  };
}
