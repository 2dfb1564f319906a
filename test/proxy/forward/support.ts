import { randomBytes } from 'node:crypto';
import { createServer, type IncomingMessage, type RequestListener } from 'node:http';
import { createServer as createTlsServer } from 'node:https';
import { type AddressInfo, connect, type Socket } from 'node:net';
import { composeHost } from '../../../actors/client/compose-host.ts';
import type { HostWorld } from '../../../actors/host/world.ts';
import { createEmit } from '../../../app/events.ts';
import { realClock, realRandom } from '../../../app/real-world.ts';
import type { HostId } from '../../../core/ids.ts';
import { LIMITS } from '../../../core/limits.ts';
import type { Logger } from '../../../core/logger.ts';
import { silentHostMetrics } from '../../../core/metrics.ts';
import { createDataPlane } from '../../../dataplane/http-data-plane.ts';
import { createAddressPolicy } from '../../../origins/address-policy.ts';
import { createHttpOrigin } from '../../../origins/http-origin.ts';
import { createForward, type ForwardOptions } from '../../../proxy/forward/forward.ts';
import { type ProxyPortOptions, startProxyPort } from '../../../proxy/port.ts';
import type { ProxyRequest } from '../../../proxy/request.ts';
import { openStore } from '../../../storage/open-store.ts';
import { createMemoryHub } from '../../../transport/memory-bus.ts';
import { membersOf } from '../../dataplane/fixture.ts';
import { tempDir } from '../../support/temp-dir.ts';

/** A host with a forward proxy, without a swarm. */
export interface TestProxy extends AsyncDisposable {
  readonly port: number;
  readonly url: string;
  readonly hostId: string;
  /** What was logged of each request. */
  readonly log: Record<string, unknown>[];
}

interface TestOptions extends Partial<Omit<ForwardOptions, 'originCa'>> {
  readonly portLimits?: ProxyPortOptions['limits'];
  readonly allow?: readonly string[];
  readonly originCa?: string;
}

/** Limits that end nothing within a test: on a busy machine good clients pause too. */
const PATIENT = { connectMs: 60_000, silentClientMs: 60_000, handshakeMs: 60_000, stallMs: 60_000 };

/** Starts a host of its own kind; it may read this machine unless `allow` says otherwise. */
export async function startProxy(options: TestOptions = {}): Promise<TestProxy> {
  const { allow = ['127.0.0.1', 'localhost', '[::1]'], originCa, portLimits, ...given } = options;
  const dir = await tempDir();
  const hostId = randomBytes(16).toString('hex') as HostId;
  const log: Record<string, unknown>[] = [];
  const logger: Logger = {
    debug: (fields, message) => void (message === 'proxied' && log.push({ ...fields })),
    info() {},
    warn() {},
    error: (fields, message) => void log.push({ ...fields, message }),
  };
  const store = await openStore({ dir: dir.path, quotaBytes: 2 ** 30, clock: realClock, logger });
  const bus = createMemoryHub({ clock: realClock, random: realRandom }).bus(hostId);
  bus.setConnected(false);
  const policy = createAddressPolicy({ allowOrigin: [...allow], onlyOrigin: false });
  const origin = createHttpOrigin({
    policy,
    logger,
    clock: realClock,
    random: realRandom,
    limits: { backoffMs: 5, budgetMs: 60_000, connectMs: 60_000, stallMs: 60_000 },
    ...(originCa !== undefined && { ca: originCa }),
    ...(given.resolve !== undefined && { resolve: given.resolve }),
  });
  const dataPlane = createDataPlane({ credentials: () => undefined, members: membersOf(), tls: 'private' });
  const world: HostWorld = {
    clock: realClock,
    random: realRandom,
    bus,
    emit: createEmit({ bus, swarm: 'test', speaker: hostId, pieceEvents: false }),
    log: logger,
    hostId,
    incarnation: 1,
    role: 'normal',
    store,
    dataPlane,
    origin,
    metrics: silentHostMetrics,
    originReaders: 'all',
    starvedAfterMs: LIMITS.starvedAfterMs,
    alone: true,
  };
  const host = composeHost({
    world,
    registry: { ask: () => Promise.reject(new Error('no registry is asked by the forward proxy')) },
    baseOf: () => '',
    admission: { memoryMs: 50, graceMs: 0 },
    trust: { publicKey: new Uint8Array(32), accept() {}, learnKeys() {} },
    onBook() {},
    describe: () => ({ ip: '127.0.0.1', port: 1, version: 'test', uploading: 0, slotsUp: 1 }),
  });
  const forward = await createForward({
    hostId,
    downloads: host.downloads,
    policy,
    clock: realClock,
    metrics: silentHostMetrics,
    logger,
    rules: [],
    connectPorts: [443],
    prefixOrigins: [],
    ...given,
    limits: { ...PATIENT, ...given.limits },
    ...(originCa !== undefined && { originCa: [originCa] }),
  });
  const mirror = ({ response }: ProxyRequest) => void response.writeHead(404).end();
  const port = await startProxyPort({
    listen: '127.0.0.1',
    port: 0,
    mirror,
    forward,
    logger,
    ...(portLimits !== undefined && { limits: portLimits }),
  });
  return {
    port: port.port,
    url: `http://127.0.0.1:${port.port}`,
    hostId,
    log,
    async [Symbol.asyncDispose]() {
      await port[Symbol.asyncDispose]();
      await forward.close();
      await host.stop();
      await origin.close();
      await dataPlane.close();
      await bus.close();
      await store.close();
      await dir[Symbol.asyncDispose]();
    },
  };
}

/** A real server on this machine. */
export interface TestServer extends AsyncDisposable {
  readonly port: number;
  readonly host: string;
  readonly requests: IncomingMessage[];
}

export async function serve(
  listener: RequestListener,
  tls?: { key: string; cert: string },
): Promise<TestServer> {
  const requests: IncomingMessage[] = [];
  const counted: RequestListener = (request, response) => {
    requests.push(request);
    listener(request, response);
  };
  const server = tls === undefined ? createServer(counted) : createTlsServer(tls, counted);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  return {
    port,
    host: `127.0.0.1:${port}`,
    requests,
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      await new Promise<void>((resolve) => server.close(() => resolve()));
    },
  };
}

/** Sends bytes as they are, and gives what comes back until the other side closes, or `until` is in it. */
export function raw(port: number, text: string, until?: string): Promise<string> {
  return new Promise((resolve, reject) => {
    const socket: Socket = connect(port, '127.0.0.1', () => socket.write(text, 'latin1'));
    let answer = '';
    const timer = setTimeout(() => {
      socket.destroy();
      reject(new Error(`no end of: ${answer.slice(0, 500)}`));
    }, 60_000);
    const done = () => {
      clearTimeout(timer);
      socket.destroy();
      resolve(answer);
    };
    socket.on('data', (chunk) => {
      answer += chunk.toString('latin1');
      if (until !== undefined && answer.includes(until)) done();
    });
    socket.on('end', done);
    socket.on('error', done);
  });
}

export const statusOf = (answer: string): number => Number(/^HTTP\/1\.1 (\d{3})/.exec(answer)?.[1] ?? 0);
