import { type Clock, sleep } from '../core/clock.ts';
import type { SentEvent } from './route.ts';

/** Text of a stream of server-sent events; while nothing happens a comment goes out now and then. */
export async function* serverSent(
  events: AsyncIterable<SentEvent>,
  { clock, beatMs }: { readonly clock: Clock; readonly beatMs: number },
): AsyncGenerator<string> {
  const iterator = events[Symbol.asyncIterator]();
  yield ': shoal\n\n';
  try {
    let coming = iterator.next();
    for (;;) {
      const quiet = new AbortController();
      const beat = sleep(clock, beatMs, quiet.signal).then(
        () => 'beat' as const,
        () => 'beat' as const,
      );
      const next = await Promise.race([coming, beat]);
      quiet.abort();
      if (next === 'beat') {
        yield ': nothing happens\n\n';
        continue;
      }
      if (next.done === true) return;
      yield `event: ${next.value.event}\ndata: ${JSON.stringify(next.value.data)}\n\n`;
      coming = iterator.next();
    }
  } finally {
    // Not awaited: it may be waiting for what never comes.
    void iterator.return?.();
  }
}
