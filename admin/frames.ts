import { ShoalError } from '../core/errors.ts';

/*
 * How content crosses the unix socket: frames of one byte of kind, four bytes of length, and that many bytes. Only an
 * `end` frame ends a stream well, so that one that was cut never looks complete.
 */

/** `R` a DownloadResult as JSON, `D` content, `E` a WireError as JSON, `Z` the end with the number of content bytes as JSON. */
export type FrameKind = 'R' | 'D' | 'E' | 'Z';

/** One frame. */
export interface Frame {
  readonly kind: FrameKind;
  readonly payload: Uint8Array;
}

const HEAD_BYTES = 5;
/** No frame is longer; content is split. */
export const FRAME_BYTES = 1024 * 1024;

/** One frame as bytes: its head, and its payload as it is. `payload` is at most FRAME_BYTES. */
export function frameHead(kind: FrameKind, payloadBytes: number): Uint8Array {
  const head = Buffer.allocUnsafe(HEAD_BYTES);
  head.write(kind, 0, 'latin1');
  head.writeUInt32BE(payloadBytes, 1);
  return head;
}

/** A frame whose payload is JSON. */
export function jsonFrame(kind: FrameKind, value: unknown): Uint8Array {
  const payload = Buffer.from(JSON.stringify(value));
  return Buffer.concat([frameHead(kind, payload.length), payload]);
}

/**
 * The frames of a byte stream. A frame's payload may come in several parts of kind `D`, without waiting for the rest.
 * @throws ERR_BUS_MESSAGE_INVALID for what is no frame, ERR_DAEMON_UNAVAILABLE where the stream ends inside one
 */
export async function* readFrames(chunks: AsyncIterable<Uint8Array>): AsyncIterable<Frame> {
  let kept: Buffer = Buffer.alloc(0);
  /** Bytes of the current `D` frame still to come. */
  let owed = 0;
  for await (const part of chunks) {
    const chunk = Buffer.from(part.buffer, part.byteOffset, part.byteLength);
    let rest: Buffer = kept.length === 0 ? chunk : Buffer.concat([kept, chunk]);
    while (rest.length > 0) {
      if (owed > 0) {
        const payload = rest.subarray(0, owed);
        owed -= payload.length;
        rest = rest.subarray(payload.length);
        yield { kind: 'D', payload };
        continue;
      }
      if (rest.length < HEAD_BYTES) break;
      const { kind, length } = readHead(rest);
      if (kind === 'D') {
        owed = length;
        rest = rest.subarray(HEAD_BYTES);
      } else {
        if (rest.length < HEAD_BYTES + length) break;
        yield { kind, payload: rest.subarray(HEAD_BYTES, HEAD_BYTES + length) };
        rest = rest.subarray(HEAD_BYTES + length);
      }
    }
    kept = rest;
  }
  if (kept.length > 0 || owed > 0) throw new ShoalError('ERR_DAEMON_UNAVAILABLE', 'the stream was cut');
}

function readHead(bytes: Buffer): { kind: FrameKind; length: number } {
  const kind = bytes.toString('latin1', 0, 1);
  const length = bytes.readUInt32BE(1);
  if ((kind === 'R' || kind === 'D' || kind === 'E' || kind === 'Z') && length <= FRAME_BYTES) {
    return { kind, length };
  }
  throw new ShoalError('ERR_BUS_MESSAGE_INVALID', 'the daemon sent something that is no frame');
}
