import type { DownloadProgress, DownloadResult, GetRequest } from '../core/download.ts';
import { toShoalError } from '../core/errors.ts';
import type { HostControl } from './control.ts';
import { FRAME_BYTES, frameHead, jsonFrame } from './frames.ts';

/** Lines of a running `get`: `{progress}` as it changes, the newest where the reader is slow, then `{result}` or `{error}`. */
export async function* getLines(
  control: HostControl,
  request: GetRequest,
  signal: AbortSignal,
): AsyncIterable<string> {
  let newest: DownloadProgress | undefined;
  let ended = false;
  let wake = (): void => {};
  const onProgress = (progress: DownloadProgress): void => {
    newest = progress;
    wake();
  };
  const end = runGet(control, request, onProgress, signal).then((line) => {
    ended = true;
    wake();
    return line;
  });
  while (!ended) {
    await new Promise<void>((resolve) => {
      wake = resolve;
      if (newest !== undefined || ended) resolve();
    });
    if (newest !== undefined) {
      const progress = newest;
      newest = undefined;
      yield `${JSON.stringify({ progress })}\n`;
    }
  }
  yield await end;
}

async function runGet(
  control: HostControl,
  request: GetRequest,
  onProgress: (progress: DownloadProgress) => void,
  signal: AbortSignal,
): Promise<string> {
  try {
    return `${JSON.stringify({ result: await control.get(request, onProgress, signal) })}\n`;
  } catch (error) {
    return `${JSON.stringify({ error: toShoalError(error).toWire() })}\n`;
  }
}

/** Frames of content in order: results as they are known, content, then the end or an error. */
export async function* contentFrames(
  control: HostControl,
  request: GetRequest,
  signal: AbortSignal,
): AsyncIterable<Uint8Array> {
  const results: DownloadResult[] = [];
  const takeResults = (): Uint8Array[] => results.splice(0).map((result) => jsonFrame('R', result));
  let bytes = 0;
  try {
    for await (const chunk of control.stream(request, (result) => results.push(result), signal)) {
      yield* takeResults();
      for (let at = 0; at < chunk.length; at += FRAME_BYTES) {
        const payload = chunk.subarray(at, at + FRAME_BYTES);
        yield frameHead('D', payload.length);
        yield payload;
      }
      bytes += chunk.length;
    }
    yield* takeResults();
    yield jsonFrame('Z', bytes);
  } catch (error) {
    yield jsonFrame('E', toShoalError(error).toWire());
  }
}
