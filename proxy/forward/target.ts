import { ShoalError } from '../../core/errors.ts';

/** What a request asks for at which origin. */
export interface Target {
  readonly url: URL;
  /** Path and query as the client wrote them. */
  readonly path: string;
  /** Host without brackets. */
  readonly host: string;
  readonly port: number;
}

/** Where a CONNECT goes. */
export interface Authority {
  /** Host without brackets, in small letters. */
  readonly host: string;
  readonly port: number;
}

/** Target of an absolute http or https URL without user-info. @throws ERR_SOURCE_URL_INVALID */
export function originTargetOf(text: string): Target {
  const parts = /^(https?):\/\/([^/?#\\@]+)((?:[/?][^#\\]*)?)$/i.exec(text);
  if (parts === null || !URL.canParse(text)) {
    throw new ShoalError(
      'ERR_SOURCE_URL_INVALID',
      'the target is no absolute http:// or https:// URL without user-info',
    );
  }
  const url = new URL(text);
  const [, , , path = ''] = parts;
  return {
    url,
    path: path.startsWith('/') ? path : `/${path}`,
    host: bare(url.hostname),
    port: url.port === '' ? (url.protocol === 'https:' ? 443 : 80) : Number(url.port),
  };
}

/** Host and port of a CONNECT. @throws ERR_SOURCE_URL_INVALID */
export function authorityOf(text: string): Authority {
  const parts = /^(\[[0-9a-f:.]{2,45}\]|[a-z0-9._-]{1,253}):(\d{1,5})$/i.exec(text);
  const [, host = '', port = ''] = parts ?? [];
  if (parts === null || !URL.canParse(`http://${host}/`) || Number(port) < 1 || Number(port) > 65535) {
    throw new ShoalError('ERR_SOURCE_URL_INVALID', 'CONNECT asks for HOST:PORT');
  }
  // As a URL has it, `0x7f.1` is 127.0.0.1 here too.
  return { host: bare(new URL(`http://${host}/`).hostname), port: Number(port) };
}

/** `host:port` as it stands in a URL and a Host header; the port of the scheme is left out. */
export function hostHeader({ url }: Target): string {
  return url.host;
}

function bare(host: string): string {
  return host.replace(/^\[(.*)\]$/, '$1').toLowerCase();
}
