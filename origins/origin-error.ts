import type { IncomingHttpHeaders } from 'node:http';
import { type ErrorCode, ShoalError } from '../core/errors.ts';

const TLS_CODES =
  /^(ERR_TLS_|ERR_SSL_|CERT_|CRL_|UNABLE_TO_|SELF_SIGNED_|DEPTH_ZERO_|HOSTNAME_MISMATCH|INVALID_CA|EPROTO$)/;
/** HTTP that Node does not take, or that it does not send; a body that ends too early is a cut like any other. */
const PROTOCOL_CODES = /^(HPE_(?!INVALID_EOF_STATE$)|ERR_INVALID_CHAR$|ERR_INVALID_HTTP_TOKEN$)/;

/** Headers that speak of the connection, or of the one who asked. */
const PRIVATE_HEADERS = new Set([
  'connection',
  'keep-alive',
  'proxy-authenticate',
  'proxy-connection',
  'set-cookie',
  'trailer',
  'transfer-encoding',
  'upgrade',
]);

/** What went wrong with a connection, in Shoal's words; ShoalErrors pass. */
export function connectionError(error: unknown, url: URL): ShoalError {
  if (error instanceof ShoalError) return error;
  const code = codeOf(error);
  const text = messageOf(error);
  if (TLS_CODES.test(code)) {
    return new ShoalError('ERR_SOURCE_TLS', `no trusted connection to ${url.host}: ${text}`, {
      cause: error,
      details: { reason: code },
    });
  }
  if (PROTOCOL_CODES.test(code)) {
    return new ShoalError('ERR_SOURCE_PROTOCOL', `${url.host} does not speak HTTP as it should: ${text}`, {
      cause: error,
      details: { reason: code },
    });
  }
  return new ShoalError('ERR_SOURCE_UNAVAILABLE', `no answer from ${url.host}: ${text}`, {
    cause: error,
    details: { reason: code },
  });
}

/** The error for a host that may not be read. */
export function addressRefused(host: string, port: number, address?: string): ShoalError {
  const at = address === undefined || address === host ? '' : ` (${address})`;
  return new ShoalError('ERR_SOURCE_ADDRESS_REFUSED', `${host}:${port}${at} is not an origin to read from`, {
    details: { host, port, ...(address === undefined ? {} : { address }) },
  });
}

/** The error for an answer that is a refusal. */
export function statusError(status: number, headers: IncomingHttpHeaders, url: URL): ShoalError {
  return new ShoalError(codeOfStatus(status), `${url.host} answered ${status}`, {
    details: { status, origin: url.origin, headers: publicHeaders(headers) },
  });
}

/** The error for an answer that contradicts itself or the request. */
export function protocolError(url: URL, what: string, status: number): ShoalError {
  return new ShoalError('ERR_SOURCE_PROTOCOL', `${url.host} ${what}`, { details: { status } });
}

/** The error for an origin that gives only the whole. */
export function rangeless(message: string, status?: number): ShoalError {
  const details = { reason: 'no-ranges', ...(status !== undefined && { status }) };
  return new ShoalError('ERR_SOURCE_PROTOCOL', message, { details });
}

/** Whether an origin that was asked for a part gives only the whole. */
export function isRangeless({ code, details }: ShoalError): boolean {
  return code === 'ERR_SOURCE_PROTOCOL' && details['reason'] === 'no-ranges';
}

function codeOfStatus(status: number): ErrorCode {
  if (status === 404 || status === 410) return 'ERR_SOURCE_NOT_FOUND';
  if (status === 401 || status === 403 || status === 451) return 'ERR_SOURCE_REFUSED';
  if (isPassing(status)) return 'ERR_SOURCE_UNAVAILABLE';
  return status >= 400 ? 'ERR_SOURCE_STATUS' : 'ERR_SOURCE_PROTOCOL';
}

/** Whether a status may be another one in a moment. */
export function isPassing(status: number): boolean {
  return status >= 500 || status === 408 || status === 425 || status === 429;
}

/** The headers of an answer that others may see; several of one name in one line. */
export function publicHeaders(headers: IncomingHttpHeaders): Record<string, string> {
  const kept: Record<string, string> = {};
  for (const [name, value] of Object.entries(headers)) {
    if (value === undefined || PRIVATE_HEADERS.has(name)) continue;
    kept[name] = Array.isArray(value) ? value.join(', ') : value;
  }
  return kept;
}

function codeOf(error: unknown): string {
  const { code, cause } = (error ?? {}) as { code?: unknown; cause?: unknown };
  if (typeof code === 'string') return code;
  return cause === undefined || cause === null ? '' : codeOf(cause);
}

function messageOf(error: unknown): string {
  const text = error instanceof Error ? error.message : String(error);
  return (text === '' ? codeOf(error) : text).slice(0, 300);
}
