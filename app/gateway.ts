import { randomBytes } from 'node:crypto';
import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { jobsClient } from '../actors/jobs/client.ts';
import type { Health } from '../admin/health.ts';
import { ShoalError } from '../core/errors.ts';
import { registryBase } from '../core/registry-names.ts';
import { writeAudit } from '../gateway/audit.ts';
import { readConsole } from '../gateway/console.ts';
import { EventFeed } from '../gateway/event-feed.ts';
import { startGateway } from '../gateway/listen.ts';
import { SchedulerPresence } from '../gateway/scheduler-presence.ts';
import { TokenDoor } from '../gateway/tokens/token-door.ts';
import { type Closing, opening } from './closing.ts';
import type { GatewayConfig } from './config.ts';
import { createEmit } from './events.ts';
import { openImageLookup } from './image-lookup.ts';
import type { RootLogger } from './logging.ts';
import { openGatewayMetrics } from './metrics.ts';
import { openNatsBus } from './nats-bus.ts';
import { loginName } from './nats-login.ts';
import { isPrivateLink } from './private-link.ts';
import { addProcessMetrics } from './process-metrics.ts';
import { realClock, realRandom } from './real-world.ts';
import { swarmQueries } from './swarm-query.ts';
import { VERSION } from './version.ts';

/** Where the build left the web app: beside the built script, or in dist/ where the sources run. */
function consoleFolder(): string {
  const beside = fileURLToPath(new URL('console', import.meta.url));
  return existsSync(beside) ? beside : fileURLToPath(new URL('../dist/console', import.meta.url));
}

/** A running gateway. */
export interface OpenGateway extends AsyncDisposable {
  readonly url: string;
  metricsText(): Promise<string>;
  health(): Health;
}

/** Brings up the HTTP API, which answers as soon as NATS is there. @throws ERR_CONFIG_INVALID */
export function openGateway(config: GatewayConfig, logger: RootLogger): Promise<OpenGateway> {
  return opening((closing) => compose(config, logger, closing));
}

async function compose(config: GatewayConfig, logger: RootLogger, closing: Closing): Promise<OpenGateway> {
  const { swarm: swarmName, nats, gateway, registries } = config;
  if (nats === undefined) throw new ShoalError('ERR_CONFIG_INVALID', 'a gateway needs a --nats URL');
  const name = loginName(nats) ?? `gateway-${randomBytes(6).toString('hex')}`;
  const who = { kind: 'client', name } as const;
  const bus = openNatsBus(nats, who, { swarm: swarmName, logger: logger.child({ sub: 'transport' }) });
  closing.use({ [Symbol.asyncDispose]: () => bus.close() });
  const log = logger.child({ sub: 'gateway' });
  const world = { bus, clock: realClock, random: realRandom };
  const presence = new SchedulerPresence(bus, realClock);
  closing.use({ [Symbol.asyncDispose]: async () => presence.close() });
  const images = closing.use(openImageLookup(config, log, realClock));
  const { metrics, registry: numbers, text } = openGatewayMetrics();
  addProcessMetrics(numbers);
  metrics.busState(bus.state);
  bus.onState((state) => metrics.busState(state));
  const emit = createEmit({ bus, swarm: swarmName, speaker: name, pieceEvents: false });
  const tokens = new TokenDoor(bus.directory('tokens'), realClock);
  const listening = closing.use(
    await startGateway(
      {
        clock: realClock,
        random: realRandom,
        logger: log,
        swarmName,
        version: VERSION,
        nats: () => bus.state,
        swarm: swarmQueries(bus, { schedulers: () => presence.count }),
        schedulers: () => presence.rows(),
        jobs: jobsClient({ ...world, isPrivate: isPrivateLink(nats) }),
        events: new EventFeed(bus),
        login: (headers) => tokens.check(headers),
        audit: (record) => writeAudit({ ...world, emit, logger: log }, record),
        imageParts: images.partsOf,
        registryBase: (registry) => registryBase(registry, registries),
        harborLogin: gateway.harborLogin,
        console: readConsole(consoleFolder()),
        onAnswered: (route, status) => metrics.answered(route, status),
      },
      gateway,
    ),
  );
  if (gateway.tls === undefined && !isLoopback(gateway.listen)) {
    log.warn(
      { url: listening.url },
      'tokens cross the network unencrypted: give --gateway-cert and --gateway-key',
    );
  }
  return {
    url: listening.url,
    metricsText: text,
    health: () => ({
      live: true,
      ready: bus.state === 'connected',
      checks: { nats: bus.state, schedulers: presence.rows().length },
    }),
    [Symbol.asyncDispose]: () => closing[Symbol.asyncDispose](),
  };
}

function isLoopback(address: string): boolean {
  return address === '::1' || address.startsWith('127.');
}
