import { type Agent, type ClientRequest, request as requestHttp } from 'node:http';
import { request as requestHttps } from 'node:https';
import { isIP, type Socket } from 'node:net';
import { ShoalError } from '../../core/errors.ts';
import type { AddressPolicy } from '../../origins/address-policy.ts';
import { connectWithin, lookupFor, type ResolveName } from '../../origins/connections.ts';
import { addressRefused } from '../../origins/origin-error.ts';
import { OriginWays } from '../../origins/way/origin-ways.ts';
import { noProxy, type ProxyChoice, proxyAuthorization } from '../../origins/way/proxy-choice.ts';
import type { ForwardLimits } from './limits.ts';
import type { Authority, Target } from './target.ts';

/** Connections to origins, made only to addresses that the policy lets through. */
export interface Upstream {
  /** @throws ERR_SOURCE_ADDRESS_REFUSED as far as the name tells */
  judge(authority: Authority): void;
  /** Begins a request. @throws ERR_SOURCE_ADDRESS_REFUSED; the request's `error` event has the rest */
  request(target: Target, method: string, headers: readonly string[]): ClientRequest;
  /** Opens a connection for a tunnel. @throws ERR_SOURCE_ADDRESS_REFUSED, ERR_TIMEOUT, or the system's error */
  connect(authority: Authority): Promise<Socket>;
  close(): void;
}

/** What connections to origins need. */
interface UpstreamOptions {
  readonly policy: AddressPolicy;
  readonly limits: ForwardLimits;
  /** Certificates trusted beside those that Node knows, PEM. */
  readonly ca: readonly string[] | undefined;
  /** Absent: the system's. */
  readonly resolve: ResolveName | undefined;
  /** Absent: none. */
  readonly proxy?: ProxyChoice | undefined;
}

/** Connections to origins, of which some are kept for the next request. */
export function createUpstream(given: UpstreamOptions): Upstream {
  const { policy, limits, ca, resolve, proxy = noProxy } = given;
  const { connectionsPerOrigin, connections, freeConnectionsPerOrigin, idleMs, connectMs, headerBytes } =
    limits;
  const kept = {
    keepAlive: true,
    maxSockets: connectionsPerOrigin,
    maxTotalSockets: connections,
    maxFreeSockets: freeConnectionsPerOrigin,
    timeout: idleMs,
  };
  const lookup = (host: string, port: number) => lookupFor(host, port, policy, resolve);
  const ways = new OriginWays({ policy, proxy, lookup, connectMs, kept, ca: ca && [...ca] });

  function judge({ host, port }: Authority): void {
    if (!policy.allowsHost(host, port)) throw addressRefused(host, port);
  }

  return {
    judge,
    request(target, method, headers) {
      const { host, port, path, url } = target;
      judge(target);
      const secure = url.protocol === 'https:';
      const { options, told } = ways.to(url);
      const asked = {
        host,
        port,
        path: told === undefined ? path : `${url.protocol}//${url.host}${path}`,
        method,
        headers: [...headers, ...Object.entries(told === undefined ? {} : proxyAuthorization(told)).flat()],
        maxHeaderSize: headerBytes,
        ...options,
        ...(isIP(host) === 0 && { servername: host }),
      };
      makeRoom(options.agent, connections);
      const request = secure ? requestHttps(asked) : requestHttp(asked);
      connectWithin(connectMs, request, secure, () => tooLate(host, port));
      request.setTimeout(idleMs, () => request.destroy(timeout(`${host}:${port} sent nothing for too long`)));
      return request;
    },
    async connect({ host, port }) {
      judge({ host, port });
      const socket = await ways.open(host, port);
      if (!socket.connecting) return socket;
      await new Promise<void>((resolve, reject) => {
        socket.setTimeout(connectMs, () => socket.destroy(tooLate(host, port)));
        socket.once('error', reject);
        socket.once('connect', () => {
          socket.off('error', reject);
          socket.setTimeout(0);
          resolve();
        });
      });
      return socket;
    },
    close() {
      ways.close();
    },
  };
}

/** Closes the connections that wait for a next request where they and those at work are as many as may be. */
function makeRoom(agent: Agent, most: number): void {
  const [atWork, waiting] = [agent.sockets, agent.freeSockets].map((sockets) =>
    Object.values(sockets).flatMap((ofOrigin) => ofOrigin ?? []),
  );
  if ((atWork?.length ?? 0) + (waiting?.length ?? 0) < most) return;
  for (const socket of waiting ?? []) socket.destroy();
}

function tooLate(host: string, port: number): ShoalError {
  return timeout(`${host}:${port} did not accept the connection in time`);
}

function timeout(message: string): ShoalError {
  return new ShoalError('ERR_TIMEOUT', message);
}
