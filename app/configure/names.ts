import { registryByPerson } from '../../core/docker-hub.ts';
import { ShoalError } from '../../core/errors.ts';

/** A registry as images name it, and where it really is when that is not `https://<name>`. */
export interface RegistryChoice {
  readonly name: string;
  /** As given: `NAME=URL`. */
  readonly url?: string | undefined;
}

/** The address of a daemon's proxy port as clients are told it. */
export interface ProxyAddress {
  /** Without a slash at the end. */
  readonly url: string;
  /** `host:port`. */
  readonly host: string;
  readonly plain: boolean;
}

const NAME = /^[a-z0-9](?:[a-z0-9.-]*[a-z0-9])?(?::\d{1,5})?$/;

/** Reads `NAME` or `NAME=URL` as --registry takes it. @throws ERR_CONFIG_INVALID */
export function parseRegistry(text: string): RegistryChoice {
  const [given = '', ...rest] = text.trim().split('=');
  const name = registryByPerson(given.toLowerCase());
  if (!NAME.test(name)) {
    const why = given.includes('*')
      ? 'no wildcard: name each registry'
      : 'give a registry as images name it, for example quay.io or registry.lab:5000';
    throw new ShoalError('ERR_CONFIG_INVALID', `--registry ${text}: ${why}`);
  }
  if (rest.length === 0) return { name };
  return { name, url: plainUrl('--registry', rest.join('=')).url };
}

/** Reads --proxy: an http(s) URL of a host and a port, and nothing else. @throws ERR_CONFIG_INVALID */
export function parseProxy(text: string): ProxyAddress {
  return plainUrl('--proxy', text);
}

/** Whether containers reach this registry without TLS when nobody says otherwise. */
export function isOnThisMachine(name: string): boolean {
  const host = name.replace(/:\d+$/, '');
  return host === 'localhost' || host.endsWith('.localhost') || /^127\./.test(host);
}

function plainUrl(flag: string, text: string): ProxyAddress {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  const bare =
    url !== undefined &&
    /^https?:$/.test(url.protocol) &&
    url.username === '' &&
    url.password === '' &&
    /^\/*$/.test(url.pathname) &&
    url.search === '' &&
    url.hash === '';
  if (!bare) {
    throw new ShoalError('ERR_CONFIG_INVALID', `${flag}: give http://HOST:PORT and nothing behind it`);
  }
  return { url: `${url.protocol}//${url.host}`, host: url.host, plain: url.protocol === 'http:' };
}
