import type { DownloadRequest, DownloadResult, StreamStart } from '../../../core/download.ts';
import { type ShoalError, toShoalError } from '../../../core/errors.ts';
import type { SimHost } from '../../../sim/host.ts';
import type { Simulation } from '../../../sim/world.ts';

/** A client that reads a stream of one host, and all that it was told. */
export interface Reading {
  readonly abort: AbortController;
  readonly starts: StreamStart[];
  readonly results: DownloadResult[];
  readonly chunks: Uint8Array[];
  /** When the first byte came, virtual ms. */
  firstMs: number | undefined;
  /** When it was over, virtual ms. */
  endedMs: number | undefined;
  error: ShoalError | undefined;
  bytes(): Buffer;
  /** Lets time pass until it is over. */
  end(forMs?: number): Promise<Reading>;
}

/** Begins to read; `slowMs` is how long the reader takes for a chunk. */
export function read(
  sim: Simulation,
  host: SimHost,
  request: Partial<DownloadRequest> & { readonly resource: string },
  onChunk: (reading: Reading) => void = () => {},
): Reading {
  const reading: Reading = {
    abort: new AbortController(),
    starts: [],
    results: [],
    chunks: [],
    firstMs: undefined,
    endedMs: undefined,
    error: undefined,
    bytes: () => Buffer.concat(reading.chunks),
    async end(forMs = 60_000) {
      await sim.run(forMs, () => reading.endedMs !== undefined);
      return reading;
    },
  };
  const hooks = {
    onStart: (start: StreamStart) => reading.starts.push(start),
    onResult: (result: DownloadResult) => reading.results.push(result),
  };
  const stream = host.stream(request, reading.abort.signal, hooks);
  const go = async (): Promise<void> => {
    for await (const chunk of stream ?? []) {
      reading.firstMs ??= sim.clock.now();
      reading.chunks.push(chunk);
      onChunk(reading);
    }
  };
  go()
    .catch((error: unknown) => {
      reading.error = toShoalError(error);
    })
    .finally(() => {
      reading.endedMs = sim.clock.now();
    });
  return reading;
}
