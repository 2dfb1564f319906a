import { type ServerResponse, STATUS_CODES } from 'node:http';
import type { Duplex } from 'node:stream';
import { type ErrorCode, toShoalError } from '../../core/errors.ts';
import { endWith } from '../plain-answer.ts';

/** Statuses of their own that the table of errors does not have. */
export interface Refusal {
  readonly status: number;
  readonly code: ErrorCode;
  readonly message: string;
}

/** Why a request is refused or failed, as a client of a proxy is told. */
export function refusalOf(thrown: unknown): Refusal {
  const error = toShoalError(thrown);
  const status = error.status === 499 ? 502 : error.status;
  return { status, code: error.code, message: `${error.message}\n${error.fix}` };
}

/** A refusal of the proxy itself. */
export function refusal(status: number, message: string): Refusal {
  return { status, code: 'ERR_SOURCE_FORBIDDEN', message };
}

/** Of a request that goes round in a circle. */
export function cameBefore(): Refusal {
  return refusal(508, 'this request came through this proxy already');
}

/** Answers with a refusal where nothing was answered yet; else the connection is cut, so that no one takes it for whole. */
export function answerRefusal(response: ServerResponse, { status, code, message }: Refusal): void {
  if (response.headersSent) {
    response.destroy();
    return;
  }
  const body = `${message}\n`;
  response.writeHead(status, {
    'content-type': 'text/plain; charset=utf-8',
    'content-length': Buffer.byteLength(body),
    'x-shoal-error': code,
    // What the client still sends of a body is not waited for.
    ...(response.req.complete ? {} : { connection: 'close' }),
  });
  response.end(response.req.method === 'HEAD' ? undefined : body);
}

/** The same for a CONNECT, which has no response object. */
export function refuseTunnel(socket: Duplex, { status, code, message }: Refusal): void {
  const body = `${message}\n`;
  endWith(
    socket,
    [
      `HTTP/1.1 ${status} ${STATUS_CODES[status] ?? 'Error'}`,
      'Content-Type: text/plain; charset=utf-8',
      `Content-Length: ${Buffer.byteLength(body)}`,
      `X-Shoal-Error: ${code}`,
      'Connection: close',
      '',
      body,
    ].join('\r\n'),
  );
}
