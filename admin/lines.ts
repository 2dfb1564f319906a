import { ShoalError } from '../core/errors.ts';

const LINE_BYTES = 1024 * 1024;

/** The complete lines of a byte stream, without their ends; a last line that was cut is left out. @throws ERR_BUS_MESSAGE_INVALID for a line beyond 1 MiB */
export async function* readLines(chunks: AsyncIterable<Uint8Array>): AsyncIterable<string> {
  const decoder = new TextDecoder();
  let kept = '';
  for await (const chunk of chunks) {
    kept += decoder.decode(chunk, { stream: true });
    const lines = kept.split('\n');
    kept = lines.pop() ?? '';
    if (kept.length > LINE_BYTES) throw new ShoalError('ERR_BUS_MESSAGE_INVALID', 'too long a line');
    yield* lines;
  }
}
