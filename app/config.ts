import { ShoalError } from '../core/errors.ts';
import type { HostRole } from '../core/host.ts';
import { type ProxySettings, proxiesOfEnvironment } from '../origins/way/proxy-choice.ts';
import type { ForwardOptions } from '../proxy/forward/forward.ts';
import { defaultCacheBytes } from './cache-size.ts';
import { type ConfigInput, readSettings } from './config-sources.ts';
import { defaultDir, defaultDockerConfig } from './dir.ts';
import { type NatsLogin, natsLogin } from './nats-login.ts';
import type { Settings } from './settings.ts';

/** What is logged, and how. */
export interface LogConfig {
  readonly level: Settings['log-level'];
  readonly format: 'json' | 'plain';
}

/** How to reach NATS. */
export interface NatsConfig {
  /** URLs; credentials in the user-info are taken out of what is logged. */
  readonly servers: readonly string[];
  readonly login: NatsLogin;
  /** How many servers of NATS keep what is kept; absent: three of a cluster, else one. */
  readonly replicas?: number | undefined;
}

interface CommonConfig {
  readonly swarm: string;
  /** Absent: no swarm; a host works alone, straight from the origin. */
  readonly nats?: NatsConfig | undefined;
  /** The login of `nats`, there too where no URL is. */
  readonly natsLogin: NatsLogin;
  readonly dir: string;
  readonly adminListen: string;
  /** 0: any free one. */
  readonly adminPort: number;
  readonly originReaders: 'all' | 'seeds';
  readonly log: LogConfig;
  readonly pieceEvents: boolean;
}

/** All that a host daemon can be told; frozen. */
export interface HostConfig extends CommonConfig {
  readonly role: HostRole;
  /** Absent: found out from the route to NATS. */
  readonly advertise?: string | undefined;
  /** Absent: every address. */
  readonly dataListen?: string | undefined;
  /** 0: any free one. */
  readonly dataPort: number;
  readonly proxyListen: string;
  /** 0: any free one. */
  readonly proxyPort: number;
  readonly forward: Pick<ForwardOptions, 'rules' | 'ca' | 'connectPorts' | 'prefixOrigins'>;
  /** Base URLs of registries by their names. */
  readonly registries: Readonly<Record<string, string>>;
  readonly defaultRegistry?: string | undefined;
  /** Docker's config.json; need not exist. */
  readonly dockerConfig: string;
  /** 0: never. */
  readonly staleTagsMs: number;
  readonly zone?: string | undefined;
  readonly labels: Readonly<Record<string, string>>;
  /** `host` or `host:port`, lower case. */
  readonly allowOrigins: readonly string[];
  /** Empty: every origin whose address is not refused. */
  readonly onlyOrigins: readonly string[];
  readonly originProxies: ProxySettings;
  readonly cacheBytes: number;
  /** Without progress for this long a download goes to the origin, whatever its scheduler answers, ms. */
  readonly starvedAfterMs: number;
  /** Absent: no limit. */
  readonly dataTls: 'private' | 'all' | 'off';
  readonly limitUpBytesPerSec?: number | undefined;
  readonly limitDownBytesPerSec?: number | undefined;
  /** How fast the cache is read to find damage; 0: not at all. */
  readonly scrubBytesPerSec: number;
  /** How long an answer on who may have content is remembered, ms. */
  readonly accessMemoryMs: number;
  /** How old such an answer may be while the source cannot be reached, ms; 0: not at all. */
  readonly accessGraceMs: number;
}

/** All that a scheduler can be told; frozen. */
export type SchedulerConfig = CommonConfig;

/** Where the HTTP API listens, and whom it lets in. */
export interface GatewayListen {
  readonly listen: string;
  /** 0: any free one. */
  readonly port: number;
  /** PEM files; absent: plain HTTP. */
  readonly tls?: { readonly certFile: string; readonly keyFile: string } | undefined;
  readonly harborLogin: 'token' | 'none';
}

/** All that a gateway, and `up`, can be told; frozen. */
export interface GatewayConfig extends HostConfig {
  readonly gateway: GatewayListen;
}

/** NATS where nothing else is said, for commands that need one. */
export const DEFAULT_NATS = 'nats://127.0.0.1:4222';

/** The configuration of a host daemon: file < environment < flags. @throws ERR_CONFIG_INVALID, ERR_STORE_IO */
export function loadHostConfig(input: ConfigInput): HostConfig {
  return deepFreeze(hostConfig(readSettings(input), input));
}

/** The configuration of a gateway, and of a host beside it. @throws ERR_CONFIG_INVALID, ERR_STORE_IO */
export function loadGatewayConfig(input: ConfigInput): GatewayConfig {
  const settings = readSettings(input);
  const { 'gateway-cert': certFile, 'gateway-key': keyFile } = settings;
  return deepFreeze({
    ...hostConfig(settings, input),
    gateway: {
      listen: settings['gateway-listen'],
      port: settings['gateway-port'],
      tls: pairOf('gateway-cert', certFile, 'gateway-key', keyFile),
      harborLogin: settings['harbor-login'],
    },
  });
}

function hostConfig(settings: Settings, input: ConfigInput): HostConfig {
  const common = commonConfig(settings);
  return {
    ...common,
    role: settings.role,
    advertise: settings.advertise,
    dataListen: settings['data-listen'],
    dataPort: settings['data-port'],
    proxyListen: settings['proxy-listen'],
    proxyPort: settings['proxy-port'],
    forward: {
      rules: settings['proxy-rules'],
      ca: pairOf('proxy-ca-cert', settings['proxy-ca-cert'], 'proxy-ca-key', settings['proxy-ca-key']),
      connectPorts: settings['connect-port'],
      prefixOrigins: settings['prefix-origin'],
    },
    registries: settings.registry,
    defaultRegistry: settings['default-registry'],
    dockerConfig: settings['docker-config'] ?? defaultDockerConfig(input.env),
    staleTagsMs: settings['stale-tags'],
    zone: settings.zone,
    labels: settings.label,
    allowOrigins: settings['allow-origin'],
    onlyOrigins: settings['only-origin'],
    originProxies: { ...proxiesOfEnvironment(input.env), all: settings['origin-proxy'] },
    cacheBytes: settings['cache-size'] ?? defaultCacheBytes(common.dir),
    starvedAfterMs: settings['starved-after'],
    dataTls: settings['data-tls'],
    limitUpBytesPerSec: settings['limit-up'] || undefined,
    limitDownBytesPerSec: settings['limit-down'] || undefined,
    scrubBytesPerSec: settings['scrub-rate'],
    accessMemoryMs: settings['access-memory'],
    accessGraceMs: settings['access-grace'],
  };
}

/** The configuration of a scheduler: file < environment < flags. @throws ERR_CONFIG_INVALID */
export function loadSchedulerConfig(input: ConfigInput): SchedulerConfig {
  return deepFreeze(commonConfig(readSettings(input)));
}

function commonConfig(settings: Settings): CommonConfig {
  const login = natsLogin(settings);
  return {
    swarm: settings.swarm,
    nats: settings.nats && { servers: settings.nats, login, replicas: settings['nats-replicas'] },
    natsLogin: login,
    dir: settings.dir ?? defaultDir(),
    adminListen: settings['admin-listen'],
    adminPort: settings['admin-port'],
    originReaders: settings['origin-readers'],
    log: { level: settings['log-level'], format: settings['log-format'] ?? defaultForm() },
    pieceEvents: settings['piece-events'],
  };
}

/** One without the other is a mistake, not a wish. @throws ERR_CONFIG_INVALID */
function pairOf(cert: string, certFile: string | undefined, key: string, keyFile: string | undefined) {
  if (certFile === undefined && keyFile === undefined) return undefined;
  if (certFile !== undefined && keyFile !== undefined) return { certFile, keyFile };
  throw new ShoalError('ERR_CONFIG_INVALID', `${cert} and ${key} belong together: give both, or neither`);
}

function defaultForm(): LogConfig['format'] {
  return process.stderr.isTTY ? 'plain' : 'json';
}

function deepFreeze<T extends object>(value: T): T {
  for (const part of Object.values(value)) {
    if (typeof part === 'object' && part !== null) deepFreeze(part as object);
  }
  return Object.freeze(value);
}
