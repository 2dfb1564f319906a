/**
 * A generator that gives back what it holds as soon as the signal aborts, also where its reader took a chunk and never
 * comes back. A reader that does come back gets the signal's reason, never an end.
 */
export async function* endedBy<T>(signal: AbortSignal, generator: AsyncGenerator<T>): AsyncGenerator<T> {
  const end = () => {
    generator.return(undefined).catch(() => {});
  };
  signal.addEventListener('abort', end, { once: true });
  try {
    yield* generator;
  } finally {
    signal.removeEventListener('abort', end);
  }
  signal.throwIfAborted();
}
