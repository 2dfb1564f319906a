import { registryByPerson } from '../../core/docker-hub.ts';
import { ShoalError } from '../../core/errors.ts';

/** A registry as images name it, and where it really is when that is not `https://<name>`. */
export interface RegistryChoice {
  readonly name: string;
  /** Base URL, with the path that `/v2/` lies below, where `NAME=URL` was given. */
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

const NAME = /^(?:[a-z0-9](?:[a-z0-9.-]*[a-z0-9])?|\[[0-9a-f:.]{2,45}\])(?::\d{1,5})?$/;

/** Reads `NAME` or `NAME=URL` as --registry takes it. @throws ERR_CONFIG_INVALID */
export function parseRegistry(text: string): RegistryChoice {
  const [given = '', ...rest] = text.trim().split('=');
  const name = registryByPerson(given.toLowerCase());
  if (!NAME.test(name)) {
    const why = given.includes('*')
      ? 'no wildcard: name each registry'
      : 'give a registry as images name it, for example quay.io or registry.lab:5000';
    throw new ShoalError('ERR_CONFIG_INVALID', `--registry ${given}: ${why}`);
  }
  if (rest.length === 0) return { name };
  const url = plainUrl(rest.join('='));
  if (url === undefined) {
    throw new ShoalError(
      'ERR_CONFIG_INVALID',
      `--registry ${name}: give http://HOST:PORT, or what /v2/ lies below`,
    );
  }
  return { name, url: `${url.origin}${url.pathname.replace(/\/+(?:v2\/*)?$/, '')}` };
}

/** Reads --proxy: an http(s) URL of a host and a port, and nothing else. @throws ERR_CONFIG_INVALID */
export function parseProxy(text: string): ProxyAddress {
  const url = plainUrl(text);
  if (url === undefined || !/^\/*$/.test(url.pathname)) {
    throw new ShoalError('ERR_CONFIG_INVALID', '--proxy: give http://HOST:PORT and nothing behind it');
  }
  return { url: url.origin, host: url.host, plain: url.protocol === 'http:' };
}

/** Whether containers reach this registry without TLS when nobody says otherwise. */
export function isOnThisMachine(name: string): boolean {
  const host = name.replace(/:\d+$/, '');
  return host === 'localhost' || host.endsWith('.localhost') || /^127\.|^\[::1\]$/.test(host);
}

/** A URL that says where, and neither who nor what; undefined where it does. */
function plainUrl(text: string): URL | undefined {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (url === undefined || !/^https?:$/.test(url.protocol)) return undefined;
  return `${url.username}${url.password}${url.search}${url.hash}` === '' ? url : undefined;
}
