import type { ServerResponse } from 'node:http';
import { RefusedByRegistry } from '../../actors/client/ask-registry.ts';
import { type ShoalError, toShoalError } from '../../core/errors.ts';

/** Error codes of the OCI distribution specification, and the ones registries use for what it leaves open. */
export type OciCode =
  | 'BLOB_UNKNOWN'
  | 'DENIED'
  | 'DIGEST_INVALID'
  | 'MANIFEST_UNKNOWN'
  | 'NAME_INVALID'
  | 'NAME_UNKNOWN'
  | 'TAG_INVALID'
  | 'UNAUTHORIZED'
  | 'UNAVAILABLE'
  | 'UNKNOWN'
  | 'UNSUPPORTED';

/** What a registry client is told when it does not get what it asked for. */
export class OciRefusal extends Error {
  readonly status: number;
  readonly code: OciCode;
  readonly headers: Readonly<Record<string, string>>;
  readonly detail: unknown;
  /** The upstream's own body, passed on in place of one of ours. */
  readonly body: Uint8Array | undefined;

  constructor(
    status: number,
    code: OciCode,
    message: string,
    more: { headers?: Readonly<Record<string, string>>; detail?: unknown; body?: Uint8Array } = {},
  ) {
    super(message);
    this.status = status;
    this.code = code;
    this.headers = more.headers ?? {};
    this.detail = more.detail;
    this.body = more.body;
  }
}

/** What something asked for is called when it is not there. */
export type Wanted = 'blob' | 'manifest' | 'other';

const UNKNOWN: Readonly<Record<Wanted, OciCode>> = {
  blob: 'BLOB_UNKNOWN',
  manifest: 'MANIFEST_UNKNOWN',
  other: 'NAME_UNKNOWN',
};

/**
 * Any error as an answer that makes clients do the right thing: what the upstream refused is refused with its status,
 * everything that is nobody's fault is a 503, which containerd answers by going to the next host.
 */
export function ociRefusalOf(thrown: unknown, wanted: Wanted): OciRefusal {
  if (thrown instanceof OciRefusal) return thrown;
  const error = toShoalError(thrown);
  if (error instanceof RefusedByRegistry) return upstreamRefusal(error.answer, wanted);
  const detail = { shoal: error.code };
  switch (error.code) {
    case 'ERR_SOURCE_NOT_FOUND':
    case 'ERR_DIGEST_NO_SOURCE':
      return new OciRefusal(404, UNKNOWN[wanted], error.message, { detail });
    case 'ERR_SOURCE_REFUSED':
      return error.details['status'] === 401
        ? new OciRefusal(401, 'UNAUTHORIZED', error.message, { detail, headers: challengeOf(error) })
        : new OciRefusal(403, 'DENIED', error.message, { detail });
    case 'ERR_SOURCE_ADDRESS_REFUSED':
    case 'ERR_SOURCE_FORBIDDEN':
      return new OciRefusal(403, 'DENIED', error.message, { detail });
    case 'ERR_SOURCE_URL_INVALID':
      return new OciRefusal(400, 'NAME_INVALID', error.message, { detail });
    case 'ERR_TASK_RANGE':
      return new OciRefusal(416, 'UNKNOWN', error.message, {
        headers: { 'content-range': `bytes */${String(error.details['length'])}` },
      });
    case 'ERR_DIGEST_MISMATCH':
      return new OciRefusal(502, 'DIGEST_INVALID', error.message, { detail });
    default:
      return new OciRefusal(503, 'UNAVAILABLE', error.message, { detail });
  }
}

function challengeOf(error: ShoalError): Record<string, string> {
  const headers = error.details['headers'];
  if (typeof headers !== 'object' || headers === null) return {};
  const challenge = (headers as Record<string, unknown>)['www-authenticate'];
  return typeof challenge === 'string' ? { 'www-authenticate': challenge } : {};
}

const CODES: Readonly<Record<number, OciCode>> = { 401: 'UNAUTHORIZED', 403: 'DENIED', 451: 'DENIED' };

/** What a registry refused, with its challenge and, where it sent one, its own words. */
function upstreamRefusal({ status, headers, body }: RefusedByRegistry['answer'], wanted: Wanted): OciRefusal {
  const challenge = headers['www-authenticate'];
  const code = CODES[status] ?? (status === 404 || status === 410 ? UNKNOWN[wanted] : 'UNKNOWN');
  const isJson = headers['content-type']?.includes('json') ?? false;
  return new OciRefusal(status, code, `the registry answers ${status}`, {
    headers: challenge === undefined ? {} : { 'www-authenticate': challenge },
    ...(isJson && body.length > 0 && { body }),
  });
}

/** Answers a refusal; after the first byte nothing can be answered, and the connection ends. */
export function sendRefusal(response: ServerResponse, refusal: OciRefusal, isHead: boolean): void {
  if (response.headersSent) {
    response.destroy();
    return;
  }
  const { code, message, detail } = refusal;
  const body =
    refusal.body ??
    Buffer.from(JSON.stringify({ errors: [{ code, message, ...(detail !== undefined && { detail }) }] }));
  for (const name of response.getHeaderNames()) if (!KEPT.has(name)) response.removeHeader(name);
  response.writeHead(refusal.status, {
    'content-type': 'application/json; charset=utf-8',
    ...refusal.headers,
    'content-length': body.length,
  });
  response.end(isHead ? undefined : body);
}

/** Headers that stand on every answer. */
const KEPT = new Set([
  'docker-distribution-api-version',
  'oci-namespace',
  'connection',
  'x-content-type-options',
]);
