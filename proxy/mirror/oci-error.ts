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
  | 'TOOMANYREQUESTS'
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
 * everything that is nobody's fault is a 503, which containerd answers by going to the next host. A limit stays one, so that the client waits as long as it should.
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
        ? new OciRefusal(401, 'UNAUTHORIZED', error.message, {
            detail,
            headers: headersIn(error, ['www-authenticate']),
          })
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
      if (error.details['status'] === 429) {
        const headers = headersIn(error, ['retry-after']);
        return new OciRefusal(429, 'TOOMANYREQUESTS', error.message, { detail, headers });
      }
      return new OciRefusal(503, 'UNAVAILABLE', error.message, { detail });
  }
}

function headersIn(error: ShoalError, names: readonly string[]): Record<string, string> {
  const headers = error.details['headers'];
  return typeof headers === 'object' && headers !== null ? pick({ ...headers }, names) : {};
}

function pick(headers: Readonly<Record<string, unknown>>, names: readonly string[]): Record<string, string> {
  const kept: Record<string, string> = {};
  for (const name of names) {
    const value = headers[name];
    if (typeof value === 'string') kept[name] = value;
  }
  return kept;
}

const CODES: Readonly<Record<number, OciCode>> = {
  401: 'UNAUTHORIZED',
  403: 'DENIED',
  429: 'TOOMANYREQUESTS',
  451: 'DENIED',
};

/** What a registry refused, with its challenge, when to come again and, where it sent some, its own words. */
function upstreamRefusal({ status, headers, body }: RefusedByRegistry['answer'], wanted: Wanted): OciRefusal {
  const code = CODES[status] ?? (status === 404 || status === 410 ? UNKNOWN[wanted] : 'UNKNOWN');
  const isJson = headers['content-type']?.includes('json') ?? false;
  // Clients show what a limit says as it is; what else is no JSON is a page that says less than the code.
  const isGiven = body.length > 0 && (isJson || status === 429);
  const kept = ['www-authenticate', 'retry-after', ...(isGiven ? ['content-type'] : [])];
  return new OciRefusal(status, code, `the registry answers ${status}`, {
    headers: pick(headers, kept),
    ...(isGiven && { body }),
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
