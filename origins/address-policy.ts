import { BlockList, isIP } from 'node:net';
import { ShoalError } from '../core/errors.ts';
import { plainAddress } from './ip-address.ts';

/** Decides which hosts and addresses may be read as origins. */
export interface AddressPolicy {
  /** As far as the name tells; a literal address is judged as one. */
  allowsHost(host: string, port: number): boolean;
  /** For an address that `host` stands for. */
  allowsAddress(host: string, port: number, address: string): boolean;
  /** By the name alone, for a host whose addresses only a proxy knows. */
  allowsUnseen(host: string, port: number): boolean;
}

/** One `--allow-origin`: a host, an address or a network, of one port or of all. */
interface Named {
  readonly host: string | undefined;
  readonly network: BlockList | undefined;
  readonly port: number | undefined;
}

/**
 * Refuses loopback, link-local, multicast and metadata addresses unless they are named; `onlyOrigin` refuses all
 * that is not named. Private ranges are open otherwise.
 * @param options.allowOrigin HOST[:PORT], an IP address (IPv6 with a port in brackets) or a CIDR each.
 * @throws ERR_CONFIG_INVALID
 */
export function createAddressPolicy(options: {
  readonly allowOrigin: readonly string[];
  readonly onlyOrigin: boolean;
}): AddressPolicy {
  const named = options.allowOrigin.map(parseNamed);
  const closed = closedAddresses();

  function isNamed(host: string, port: number, address: string | undefined): boolean {
    const plain = address === undefined ? undefined : plainAddress(address);
    return named.some((entry) => {
      if (entry.port !== undefined && entry.port !== port) return false;
      if (entry.host !== undefined) return entry.host === host;
      return plain !== undefined && (entry.network?.check(plain.address, plain.family) ?? false);
    });
  }

  function allowsAddress(hostText: string, port: number, address: string): boolean {
    const plain = plainAddress(address);
    if (plain === undefined) return false;
    if (isNamed(normalHost(hostText), port, address)) return true;
    return !options.onlyOrigin && !closed.check(plain.address, plain.family);
  }

  function allowsHost(hostText: string, port: number): boolean {
    const host = normalHost(hostText);
    if (plainAddress(host) !== undefined) return allowsAddress(host, port, host);
    // RFC 6761 §6.3: these names are loopback everywhere.
    if (host === 'localhost' || host.endsWith('.localhost')) return allowsAddress(host, port, '127.0.0.1');
    if (!options.onlyOrigin || isNamed(host, port, undefined)) return true;
    return named.some((entry) => entry.network !== undefined && (entry.port ?? port) === port);
  }

  function allowsUnseen(host: string, port: number): boolean {
    return !options.onlyOrigin || isNamed(normalHost(host), port, undefined);
  }

  return { allowsHost, allowsAddress, allowsUnseen };
}

function closedAddresses(): BlockList {
  const closed = new BlockList();
  closed.addSubnet('0.0.0.0', 8, 'ipv4');
  closed.addSubnet('127.0.0.0', 8, 'ipv4');
  closed.addSubnet('169.254.0.0', 16, 'ipv4');
  closed.addSubnet('224.0.0.0', 4, 'ipv4');
  closed.addAddress('255.255.255.255', 'ipv4');
  closed.addAddress('100.100.100.200', 'ipv4');
  closed.addAddress('168.63.129.16', 'ipv4');
  closed.addAddress('192.0.0.192', 'ipv4');
  closed.addAddress('::', 'ipv6');
  closed.addAddress('::1', 'ipv6');
  closed.addSubnet('fe80::', 10, 'ipv6');
  closed.addSubnet('ff00::', 8, 'ipv6');
  closed.addAddress('fd00:ec2::254', 'ipv6');
  closed.addAddress('fd20:ce::254', 'ipv6');
  return closed;
}

function parseNamed(text: string): Named {
  const refuse = (): never => {
    throw new ShoalError(
      'ERR_CONFIG_INVALID',
      `not HOST[:PORT], an address or a network: ${JSON.stringify(text)}`,
    );
  };
  const trimmed = text.trim().toLowerCase();
  const cidr = /^([^/]+)\/(\d{1,3})$/.exec(trimmed);
  if (cidr !== null) {
    const [, base = '', bits = ''] = cidr;
    const family = isIP(base);
    if (family === 0 || Number(bits) > (family === 4 ? 32 : 128)) return refuse();
    const network = new BlockList();
    network.addSubnet(base, Number(bits), family === 4 ? 'ipv4' : 'ipv6');
    return { host: undefined, network, port: undefined };
  }
  if (isIP(trimmed) !== 0) return { host: undefined, network: single(trimmed), port: undefined };
  const match = /^(\[[0-9a-f:.]+\]|[^:/@\s[\]?#]+)(?::(\d{1,5}))?$/.exec(trimmed);
  if (match === null) return refuse();
  const [, host = '', portText] = match;
  const port = portText === undefined ? undefined : Number(portText);
  if (port !== undefined && (port < 1 || port > 65535)) return refuse();
  if (plainAddress(host) !== undefined) return { host: undefined, network: single(host), port };
  if (host.startsWith('[')) return refuse();
  return { host: normalHost(host), network: undefined, port };
}

function single(text: string): BlockList {
  const network = new BlockList();
  const plain = plainAddress(text);
  if (plain !== undefined) network.addAddress(plain.address, plain.family);
  return network;
}

function normalHost(host: string): string {
  return host
    .toLowerCase()
    .replace(/^\[(.*)\]$/, '$1')
    .replace(/\.$/, '');
}
