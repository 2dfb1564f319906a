import type { ShoalError } from '../../core/errors.ts';
import { passOn } from './direct.ts';
import type { Arrival, ForwardAsk, ForwardWorld } from './forward-world.ts';
import { answerRefusal, type Refusal, refusalOf } from './reply.ts';
import type { RuleChoice } from './rules.ts';
import { giveFromSwarm, type SwarmEnd } from './swarm.ts';
import type { Target } from './target.ts';

/** Answers a request from the swarm where the choice is that, else, or where the swarm declines, from its origin. */
export async function give(world: ForwardWorld, ask: ForwardAsk, choice: RuleChoice): Promise<void> {
  let declined: ShoalError | undefined;
  if (choice.use === 'swarm') {
    const end = await giveFromSwarm(world, ask, choice.filteredQuery);
    if (!('declined' in end)) return told(world, ask, swarmFacts(end));
    declined = end.declined;
    if (ask.response.destroyed) return told(world, ask, { status: 0, bytes: 0, from: 'nobody' });
    if (declined.code === 'ERR_TASK_RANGE') return outOfRange(world, ask, declined);
    // Asked straight, the origin would only send the client where this host does not go.
    if (isClosedHere(world, declined)) return refuse(world, ask, refusalOf(declined));
    const fields = { host: ask.target.url.host, err: declined };
    world.logger.debug(fields, 'the swarm declined; the origin is asked straight');
  }
  const { status = 0, bytes, error } = await passOn(world, ask);
  told(world, ask, {
    status,
    bytes,
    from: 'direct',
    ...(declined && { declined: declined.code }),
    ...(error !== undefined && { error: (error as Error).message }),
  });
}

/** Answers a request with a refusal, or that one failed. */
export function refuse(
  world: ForwardWorld,
  ask: Arrival & { readonly target?: Target | undefined },
  why: Refusal,
): void {
  answerRefusal(ask.response, why);
  told(world, ask, { status: why.status, bytes: 0, from: 'nobody', error: why.code });
}

interface Ended {
  /** 0: the client went away before. */
  readonly status: number;
  readonly bytes: number;
  readonly from: 'cache' | 'swarm' | 'direct' | 'nobody';
  readonly [name: string]: unknown;
}

function told(
  { metrics, logger, clock }: ForwardWorld,
  { route, target, startedMs }: Arrival & { readonly target?: Target | undefined },
  { status, bytes, ...more }: Ended,
): void {
  metrics.proxyAnswered(route, status);
  const place = target && { host: target.url.host, path: target.url.pathname.slice(0, 200) };
  const ms = Math.round(clock.now() - startedMs);
  logger.debug({ route, ...place, status, bytes, ms, ...more }, 'proxied');
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

/** Whether an address was refused by this host; what another one refuses, this one may read. */
function isClosedHere({ policy }: ForwardWorld, { code, details }: ShoalError): boolean {
  const { host, port, address } = details;
  if (code !== 'ERR_SOURCE_ADDRESS_REFUSED' || typeof host !== 'string' || typeof port !== 'number') {
    return false;
  }
  return typeof address === 'string'
    ? !policy.allowsAddress(host, port, address)
    : !policy.allowsHost(host, port);
}

function outOfRange(world: ForwardWorld, ask: ForwardAsk, { details }: ShoalError): void {
  const { response, isHead } = ask;
  // The first byte of what is empty, asked for to learn of its length.
  const status = isHead ? 200 : 416;
  const range = isHead ? {} : { 'content-range': `bytes */${String(details['length'])}` };
  response.writeHead(status, { ...range, 'content-length': 0 });
  response.end();
  told(world, ask, { status, bytes: 0, from: 'swarm' });
}
