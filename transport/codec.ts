import { Packr } from 'msgpackr';
import { z } from 'zod';
import { ERRORS, type ErrorCode, errorFromWire, ShoalError } from '../core/errors.ts';
import { LIMITS } from '../core/limits.ts';

// Plain maps only: what any msgpack library reads. Copies, because a value must not alias a receive buffer.
const packr = new Packr({ useRecords: false, copyBuffers: true, moreTypes: false });

const wireErrorSchema = z.object({
  code: z.string().max(64),
  message: z.string().max(2000),
  details: z.record(z.string(), z.unknown()).optional(),
});

/** A decoded message, or why it is none. */
export type Decoded<M> =
  | { readonly ok: true; readonly message: M }
  | { readonly ok: false; readonly reason: string };

/** The message as msgpack, 256 KiB at most. @throws ERR_BUS_MESSAGE_TOO_LARGE, ERR_BUS_MESSAGE_INVALID */
export function encode(message: unknown): Uint8Array {
  let bytes: Uint8Array;
  try {
    bytes = packr.pack(message);
  } catch (cause) {
    throw new ShoalError('ERR_BUS_MESSAGE_INVALID', 'a message cannot be encoded', { cause });
  }
  return checkSize(bytes);
}

/** @throws ERR_BUS_MESSAGE_TOO_LARGE */
export function checkSize(bytes: Uint8Array): Uint8Array {
  if (bytes.length <= LIMITS.messageBytes) return bytes;
  throw new ShoalError(
    'ERR_BUS_MESSAGE_TOO_LARGE',
    `a message of ${bytes.length} bytes is beyond the limit of ${LIMITS.messageBytes}`,
    { details: { bytes: bytes.length, limit: LIMITS.messageBytes } },
  );
}

/** Reads and validates a message; never throws, whatever the bytes are. Unknown keys are dropped. */
export function decode<M>(schema: z.ZodType<M>, bytes: Uint8Array): Decoded<M> {
  if (bytes.length > LIMITS.messageBytes) return { ok: false, reason: `${bytes.length} bytes` };
  try {
    const parsed = schema.safeParse(packr.unpack(bytes));
    if (parsed.success) return { ok: true, message: parsed.data };
    const issue = parsed.error.issues[0];
    return {
      ok: false,
      reason: `${issue?.path.join('.') ?? ''}: ${issue?.message ?? 'invalid'}`.slice(0, 300),
    };
  } catch (error) {
    return {
      ok: false,
      reason: `not msgpack: ${error instanceof Error ? error.message : 'unreadable'}`.slice(0, 300),
    };
  }
}

/** The wire form of an error; details that do not fit are left out. */
export function encodeError(error: ShoalError): Uint8Array {
  const wire = { ...error.toWire(), message: error.message.slice(0, 2000) };
  try {
    return encode(wire);
  } catch {
    return encode({ code: wire.code, message: wire.message, retryable: wire.retryable });
  }
}

/** The error another process answered with. */
export function decodeError(bytes: Uint8Array): ShoalError {
  const decoded = decode(wireErrorSchema, bytes);
  if (!decoded.ok) return new ShoalError('ERR_BUS_MESSAGE_INVALID', `an unreadable error: ${decoded.reason}`);
  return errorFromWire(decoded.message);
}

/** HTTP status and one line of ASCII, for the headers of an error answer. */
export function faultOf(code: ErrorCode, message: string): { status: number; text: string } {
  const text = `${code}: ${message}`.replace(/[^\x20-\x7e]/g, '?').slice(0, 200);
  return { status: ERRORS[code].status, text };
}
