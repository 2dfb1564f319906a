import type { OriginSink } from '../../origins/origin.ts';

/** What is written to a sink, as chunks that are asked for: the writer waits until each has been taken. */
export async function* sinkChunks(read: (sink: OriginSink) => Promise<void>): AsyncGenerator<Uint8Array> {
  let offered: { readonly chunk: Uint8Array; readonly taken: () => void } | undefined;
  let ended: { readonly error?: unknown } | undefined;
  let taken = (): void => {};
  let gone = false;
  let wake = (): void => {};
  const sink: OriginSink = (chunk) =>
    new Promise<void>((resolve, reject) => {
      if (gone) return reject(new Error('nobody reads any more'));
      // The writer's buffer is its own again when this resolves.
      offered = { chunk: Uint8Array.from(chunk), taken: resolve };
      wake();
    });
  void read(sink).then(
    () => {
      ended = {};
      wake();
    },
    (error: unknown) => {
      ended = { error };
      wake();
    },
  );
  try {
    for (;;) {
      await new Promise<void>((resolve) => {
        wake = resolve;
        if (offered !== undefined || ended !== undefined) resolve();
      });
      if (offered !== undefined) {
        const { chunk } = offered;
        taken = offered.taken;
        offered = undefined;
        yield chunk;
        taken();
      } else if (ended !== undefined) {
        if ('error' in ended) throw ended.error;
        return;
      }
    }
  } finally {
    gone = true;
    taken();
    offered?.taken();
  }
}
