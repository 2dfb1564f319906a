import { randomBytes } from 'node:crypto';
import { ShoalError } from '../core/errors.ts';
import type { Logger } from '../core/logger.ts';
import { onAbort } from '../core/on-abort.ts';
import type { Bus } from '../transport/bus.ts';
import type { NatsConfig } from './config.ts';
import { openNatsBus } from './nats-bus.ts';
import { loginName } from './nats-login.ts';

const CONNECT_MS = 5_000;

/** A bus of a swarm for a command, connected. */
export interface SwarmClient extends AsyncDisposable {
  readonly bus: Bus;
}

/** Joins the bus of a swarm. @throws ERR_BUS_UNAVAILABLE where NATS does not answer in 5 s, ERR_BUS_DENIED, ERR_CONFIG_INVALID */
export async function connectSwarm(
  swarm: string,
  nats: NatsConfig,
  logger: Logger,
  signal?: AbortSignal,
): Promise<SwarmClient> {
  const name = loginName(nats) ?? `cli-${randomBytes(6).toString('hex')}`;
  const refused = new AbortController();
  const onRefused = (cause: Error) =>
    refused.abort(new ShoalError('ERR_BUS_DENIED', 'NATS refuses this login', { cause }));
  const bus = openNatsBus(nats, { kind: 'client', name }, { swarm, logger, onRefused });
  const close = { bus, [Symbol.asyncDispose]: () => bus.close() };
  try {
    await connected(bus, AbortSignal.any([refused.signal, ...(signal === undefined ? [] : [signal])]));
    return close;
  } catch (error) {
    await bus.close();
    throw error;
  }
}

function connected(bus: Bus, signal: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    const settle = (error?: unknown): void => {
      clearTimeout(timer);
      subscription.close();
      unlisten();
      if (error === undefined) resolve();
      else reject(error);
    };
    const timer = setTimeout(() => {
      settle(new ShoalError('ERR_BUS_UNAVAILABLE', `NATS does not answer in ${CONNECT_MS / 1000} s`));
    }, CONNECT_MS);
    const subscription = bus.onState((state) => {
      if (state === 'connected') settle();
    });
    const unlisten = onAbort(signal, () => settle(signal.reason));
    if (bus.state === 'connected') settle();
    else if (signal.aborted) settle(signal.reason);
  });
}
