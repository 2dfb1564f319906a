/**
 * Runs once when the signal aborts, until the returned function is called. A signal that has aborted already runs
 * nothing: who can be handed one looks at `aborted` first.
 */
export function onAbort(signal: AbortSignal | undefined, run: () => void): () => void {
  signal?.addEventListener('abort', run, { once: true });
  return () => signal?.removeEventListener('abort', run);
}
