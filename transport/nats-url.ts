import { ShoalError } from '../core/errors.ts';

/** What one URL of a NATS server says. */
interface NatsServerUrl {
  /** `host:port`. */
  readonly server: string;
  /** The name or the address in it, without brackets. */
  readonly host: string;
  readonly tls: boolean;
  /** The user-info: a name alone is a token. */
  readonly login: { readonly user: string; readonly pass: string } | { readonly token: string } | undefined;
}

/** Reads `nats://host:port` or `tls://…`; `host:port` is a nats URL. @throws ERR_CONFIG_INVALID, without the text, which may hold a password */
export function parseServer(text: string): NatsServerUrl {
  const malformed = 'not a NATS URL; write it as nats://HOST:4222';
  let url: URL;
  let user: string;
  let pass: string;
  try {
    url = new URL(text.includes('://') ? text : `nats://${text}`);
    user = decodeURIComponent(url.username);
    pass = decodeURIComponent(url.password);
  } catch {
    throw new ShoalError('ERR_CONFIG_INVALID', malformed);
  }
  const tls = url.protocol === 'tls:';
  const bare = ['', '/'].includes(url.pathname) && url.search === '' && url.hash === '';
  if ((!tls && url.protocol !== 'nats:') || !isHostname(url.hostname) || !bare) {
    throw new ShoalError('ERR_CONFIG_INVALID', malformed);
  }
  const login = user === '' ? undefined : pass === '' ? { token: user } : { user, pass };
  const host = url.hostname.replace(/^\[|\]$/g, '');
  return { server: `${url.hostname}:${url.port === '' ? '4222' : url.port}`, host, tls, login };
}

/** @throws ERR_CONFIG_INVALID */
export function checkServerUrl(text: string): void {
  parseServer(text);
}

/** URL takes nearly anything for the host of a scheme that it does not know. */
function isHostname(text: string): boolean {
  return /^(?:[A-Za-z0-9_](?:[A-Za-z0-9._-]{0,252})|\[[0-9A-Fa-f:.]{2,45}\])$/.test(text);
}
