import { Agent, type AgentOptions } from 'node:http';
import { Agent as TlsAgent } from 'node:https';
import { connect, type LookupFunction, type Socket } from 'node:net';
import { portOf } from '../../core/source.ts';
import type { AddressPolicy } from '../address-policy.ts';
import { admitBy, openTunnel, ProxyAgent, TunnelAgent } from './proxy-agents.ts';
import type { ProxyChoice, ProxyServer } from './proxy-choice.ts';

/** How a request gets to its origin: options of Node's `request`, and what goes with it. */
export interface OriginWay {
  readonly options: {
    readonly agent: Agent;
    readonly lookup: LookupFunction;
    readonly admit?: () => Promise<void>;
  };
  /** The proxy that is sent the request, with the URL in place of the path; absent where it sees nothing of it. */
  readonly told?: ProxyServer | undefined;
}

interface WayOptions {
  readonly policy: AddressPolicy;
  readonly proxy: ProxyChoice;
  /** Finds the addresses of an origin that may be read; fails where there is none. */
  readonly lookup: (host: string, port: number) => LookupFunction;
  readonly connectMs: number;
  readonly kept: AgentOptions;
  /** PEM; absent: what Node trusts. */
  readonly ca: string | string[] | undefined;
}

/** The ways to origins, straight or through proxies; connections are kept for the next request of the same origin. */
export class OriginWays {
  readonly #options: WayOptions;
  readonly #plain: Agent;
  readonly #tls: TlsAgent;
  readonly #proxied = new Map<ProxyServer, { readonly plain: ProxyAgent; readonly tls: TunnelAgent }>();

  constructor(options: WayOptions) {
    const { kept } = options;
    this.#options = options;
    this.#plain = new Agent(kept);
    this.#tls = new TlsAgent(this.#secure());
  }

  /** To an origin whose name may be read; its addresses are judged when a connection is made. */
  to(url: URL): OriginWay {
    const secure = url.protocol === 'https:';
    const [host, port] = [url.hostname.replace(/^\[(.*)\]$/, '$1'), portOf(url)];
    const lookup = this.#options.lookup(host, port);
    const server = this.#options.proxy(url);
    if (server === undefined) return { options: { agent: secure ? this.#tls : this.#plain, lookup } };
    const { plain, tls } = this.#agents(server);
    const options = { agent: secure ? tls : plain, lookup, admit: () => this.#admit(host, port, lookup) };
    return { options, told: secure || server.speaks === 'socks5' ? undefined : server };
  }

  /** A connection for bytes that are not looked into. @throws ERR_SOURCE_*, or the system's error */
  async open(host: string, port: number): Promise<Socket> {
    const lookup = this.#options.lookup(host, port);
    const server = this.#options.proxy(new URL(`https://${host.includes(':') ? `[${host}]` : host}:${port}`));
    if (server === undefined) return connect({ host, port, allowHalfOpen: true, lookup });
    const admit = () => this.#admit(host, port, lookup);
    return openTunnel(server, { host, port, admit }, this.#options.connectMs);
  }

  close(): void {
    this.#plain.destroy();
    this.#tls.destroy();
    for (const { plain, tls } of this.#proxied.values()) {
      plain.destroy();
      tls.destroy();
    }
  }

  /** A name that has no address here may have one at the proxy, which is judged there. */
  #admit(host: string, port: number, lookup: LookupFunction): Promise<void> {
    // A literal address was judged as a name.
    return admitBy({ host, port }, lookup, this.#options.policy.allowsUnseen(host, port));
  }

  #agents(server: ProxyServer): { readonly plain: ProxyAgent; readonly tls: TunnelAgent } {
    let agents = this.#proxied.get(server);
    if (agents === undefined) {
      const { connectMs, kept } = this.#options;
      const tls = new TunnelAgent(server, connectMs, this.#secure());
      agents = { plain: new ProxyAgent(server, connectMs, kept), tls };
      this.#proxied.set(server, agents);
    }
    return agents;
  }

  #secure(): AgentOptions & { ca?: string | string[] } {
    const { kept, ca } = this.#options;
    return ca === undefined ? kept : { ...kept, ca };
  }
}
