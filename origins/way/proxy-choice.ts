import { BlockList, isIP } from 'node:net';
import { ShoalError } from '../../core/errors.ts';
import { portOf } from '../../core/source.ts';
import { plainAddress } from '../ip-address.ts';

/** A proxy that origins are read through. */
export interface ProxyServer {
  readonly speaks: 'http' | 'https' | 'socks5';
  /** Without brackets. */
  readonly host: string;
  readonly port: number;
  /** Never logged. */
  readonly login: { readonly user: string; readonly password: string } | undefined;
}

/** The header in which an HTTP proxy is told the login. */
export function proxyAuthorization({ login }: ProxyServer): { 'proxy-authorization'?: string } {
  if (login === undefined) return {};
  const text = `${login.user}:${login.password}`;
  return { 'proxy-authorization': `Basic ${Buffer.from(text).toString('base64')}` };
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

/** The settings of the environment, as curl reads them: small letters first, and one for both schemes where none is named. */
export function proxiesOfEnvironment(env: Readonly<Record<string, string | undefined>>): ProxySettings {
  const read = (name: string) => env[name] || env[name.toUpperCase()] || undefined;
  const both = read('all_proxy');
  return {
    http: read('http_proxy') ?? both,
    https: read('https_proxy') ?? both,
    except: read('no_proxy'),
  };
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
  const speaks = SPEAK[url?.protocol ?? ''];
  if (url === undefined || speaks === undefined || url.hostname === '') {
    const why = /^socks/i.test(given) ? '; of SOCKS, only version 5 is spoken' : '';
    const what = `${name} is no http://, https:// or socks5:// URL of a proxy${why}`;
    throw new ShoalError('ERR_CONFIG_INVALID', what);
  }
  const { username, password, hostname, port } = url;
  const login = { user: decoded(username), password: decoded(password) };
  return {
    speaks,
    host: bare(hostname),
    port: speaks === 'socks5' ? Number(port || SOCKS_PORT) : portOf(url),
    login: login.user === '' && login.password === '' ? undefined : login,
  };
}

const SOCKS_PORT = 1080;
/** `socks5h`, as curl has it, leaves names to the proxy, which is done for both here. */
const SPEAK: Readonly<Record<string, ProxyServer['speaks']>> = {
  'http:': 'http',
  'https:': 'https',
  'socks5:': 'socks5',
  'socks5h:': 'socks5',
};

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
