import type { StreamAPI, StreamConfig } from '@nats-io/jetstream';
import type { Logger } from '../core/logger.ts';
import { apiCode, isGone, isLate } from './jetstream-errors.ts';
import { drifted, type StreamDeclaration } from './streams.ts';

/** Times that something about a stream is asked. */
export const ASKS = 5;

interface Declaring {
  readonly streams: StreamAPI;
  readonly stream: StreamDeclaration;
  /** How many servers are to keep it. */
  readonly replicas: number;
  readonly logger: Logger;
}

/**
 * Makes the stream, or brings it in step with its declaration; what operators set beside that stays, but that there are
 * never fewer replicas. Resolves with how many servers keep it: fewer than wanted where the cluster has no more now.
 * @throws the errors of the NATS packages
 */
export async function declareStream(declaring: Declaring): Promise<number> {
  const { streams, stream, replicas, logger } = declaring;
  const actual = await asked(() => streams.info(stream.name)).catch((error: unknown) => {
    if (apiCode(error) === undefined || !isGone(error)) throw error;
    return make(declaring);
  });
  if (drifted(stream, actual.config)) {
    await update(declaring, stream, (err) =>
      logger.warn({ err, stream: stream.name }, 'stream differs from its declaration, used as it is'),
    );
  }
  // The server leaves out what is 0.
  const kept = actual.config.num_replicas || 1;
  if (kept >= replicas) return kept;
  const isMore = await update(declaring, { num_replicas: replicas }, (err) =>
    logger.debug({ err, stream: stream.name, kept, replicas }, 'no more servers for a stream now'),
  );
  return isMore ? replicas : kept;
}

/** Whoever declares the same at the same time is answered the same. */
async function make({ streams, stream, replicas }: Declaring) {
  try {
    return await asked(() => streams.add({ ...stream, num_replicas: replicas }));
  } catch (error) {
    if (replicas === 1 || apiCode(error) === undefined) throw error;
    return asked(() => streams.add({ ...stream, num_replicas: 1 }));
  }
}

/** Whether the server took it; what it says where it did not is told. */
async function update(
  { streams, stream, logger }: Declaring,
  changed: Partial<StreamConfig>,
  refused: (error: unknown) => void,
): Promise<boolean> {
  try {
    await asked(() => streams.update(stream.name, changed));
    logger.info({ stream: stream.name }, 'stream brought in step with its declaration');
    return true;
  } catch (error) {
    if (apiCode(error) === undefined) throw error;
    refused(error);
    return false;
  }
}

/** Asks again what is not answered: nats-server 2.9 loses requests that come while another client makes the stream. */
async function asked<R>(ask: () => Promise<R>): Promise<R> {
  for (let left = ASKS - 1; ; left -= 1) {
    try {
      return await ask();
    } catch (error) {
      if (!isLate(error) || left === 0) throw error;
    }
  }
}
