import { onAbort } from '../../core/on-abort.ts';

/**
 * A generator that gives back what it holds as soon as the signal aborts, also where its reader took a chunk and never
 * comes back. A reader that does come back gets the signal's reason, never an end.
 */
export async function* endedBy<T>(signal: AbortSignal, generator: AsyncGenerator<T>): AsyncGenerator<T> {
  const end = () => {
    generator.return(undefined).catch(() => {});
  };
  const unlisten = onAbort(signal, end);
  try {
    yield* generator;
  } finally {
    unlisten();
  }
  signal.throwIfAborted();
}
