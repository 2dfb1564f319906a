import { BlockList, isIP } from 'node:net';
import { ShoalError } from '../../core/errors.ts';
import { portOf } from '../../core/source.ts';
import { plainAddress } from '../ip-address.ts';

/** A proxy that origins are read through. */
export interface ProxyServer {
  readonly secure: boolean;
  /** Without brackets. */
  readonly host: string;
  readonly port: number;
  /** Value of Proxy-Authorization; never logged. */
  readonly authorization: string | undefined;
}

/** Which proxy an origin is read through; undefined: none. */
export type ProxyChoice = (url: URL) => ProxyServer | undefined;

/** Which proxies there are. */
export interface ProxySettings {
  /** For all origins, those of this machine too; `off`: none for any. */
  readonly all?: string | undefined;
  /** For origins of that scheme, where `all` is not there; none for those of this machine. */
  readonly http?: string | undefined;
  readonly https?: string | undefined;
  /** What is read without: hosts and all below them, addresses, networks, each with a port or not; `*`: everything. */
  readonly except?: string | undefined;
}

/** Reads every origin without a proxy. */
export const noProxy: ProxyChoice = () => undefined;

/** The settings of the environment, as curl and Go read them: small letters first. */
export function proxiesOfEnvironment(env: Readonly<Record<string, string | undefined>>): ProxySettings {
  const read = (name: string) => env[name] || env[name.toUpperCase()] || undefined;
  return { http: read('http_proxy'), https: read('https_proxy'), except: read('no_proxy') };
}

/**
 * @param ownPort of the daemon's own proxy: one that is named there, as where a whole machine reads through it, is none
 * @throws ERR_CONFIG_INVALID, without the text: it may hold a password
 */
export function chooseProxy(settings: ProxySettings, ownPort: number): ProxyChoice {
  const { all, http, https, except } = settings;
  if (all === 'off') return noProxy;
  const read = (text: string | undefined, name: string) => {
    const server = text === undefined ? undefined : parseProxy(text, name);
    return server?.port === ownPort && isThisMachine(server.host) ? undefined : server;
  };
  const servers = {
    all: read(all, 'origin-proxy'),
    'http:': read(http, 'HTTP_PROXY'),
    'https:': read(https, 'HTTPS_PROXY'),
  };
  const isExcepted = parseExceptions(except ?? '');
  return (url) => {
    if (isExcepted(url)) return undefined;
    if (servers.all !== undefined) return servers.all;
    // As containerd and Docker have it: the proxy's own machine is not this one.
    if (isThisMachine(url.hostname)) return undefined;
    return url.protocol === 'https:' || url.protocol === 'http:' ? servers[url.protocol] : undefined;
  };
}

/** @throws ERR_CONFIG_INVALID */
function parseProxy(text: string, name: string): ProxyServer {
  const given = text.includes('://') ? text : `http://${text}`;
  const url = URL.canParse(given) ? new URL(given) : undefined;
  if (url === undefined || !/^https?:$/.test(url.protocol) || url.hostname === '') {
    throw new ShoalError('ERR_CONFIG_INVALID', `${name} is no http:// or https:// URL of a proxy`);
  }
  const { username, password, hostname, protocol } = url;
  const login = username === '' && password === '' ? undefined : `${decoded(username)}:${decoded(password)}`;
  return {
    secure: protocol === 'https:',
    host: bare(hostname),
    port: portOf(url),
    authorization: login && `Basic ${Buffer.from(login).toString('base64')}`,
  };
}

function decoded(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}

/** @see golang.org/x/net/http/httpproxy: a name stands for all below it too, with a dot before it for these alone. */
function parseExceptions(text: string): (url: URL) => boolean {
  const tests = text
    .split(/[\s,]+/)
    .filter((part) => part !== '')
    .map((part) => parseException(part.toLowerCase()));
  return (url) => tests.some((test) => test(bare(url.hostname), portOf(url)));
}

function parseException(entry: string): (host: string, port: number) => boolean {
  if (entry === '*') return () => true;
  const [, network, bits] = /^([^/]+)\/(\d{1,3})$/.exec(entry) ?? [];
  if (network !== undefined) return inNetwork(bare(network), Number(bits));
  const [, named = entry, portText] = isIP(entry) === 6 ? [] : (/^(.*?)(?::(\d{1,5}))?$/.exec(entry) ?? []);
  const only = portText === undefined ? undefined : Number(portText);
  const name = bare(named).replace(/^\*(?=\.)/, '');
  const address = plainAddress(name)?.address;
  return (host, port) => {
    if (only !== undefined && only !== port) return false;
    if (address !== undefined) return plainAddress(host)?.address === address;
    return host === name || host.endsWith(name.startsWith('.') ? name : `.${name}`);
  };
}

function inNetwork(base: string, bits: number): (host: string) => boolean {
  const family = isIP(base);
  if (family === 0 || bits > (family === 4 ? 32 : 128)) return () => false;
  const network = new BlockList();
  network.addSubnet(base, bits, family === 4 ? 'ipv4' : 'ipv6');
  return (host) => {
    const plain = plainAddress(host);
    return plain !== undefined && network.check(plain.address, plain.family);
  };
}

function isThisMachine(hostname: string): boolean {
  const host = bare(hostname);
  if (host === 'localhost' || host.endsWith('.localhost')) return true;
  const plain = plainAddress(host);
  return plain !== undefined && (plain.address.startsWith('127.') || plain.address === '0:0:0:0:0:0:0:1');
}

function bare(host: string): string {
  return host
    .toLowerCase()
    .replace(/^\[(.*)\]$/, '$1')
    .replace(/\.$/, '');
}
