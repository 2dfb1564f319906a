import { isIP } from 'node:net';
import { z } from 'zod';
import { parseBytes, parseDuration, parseRate } from '../core/units.ts';
import {
  asIssue,
  labels,
  names,
  natsUrls,
  ports,
  proxyRules,
  registries,
  registryName,
} from './setting-types.ts';

/** Which commands a setting concerns. */
export type SettingScope = 'host' | 'scheduler' | 'gateway' | 'both';

/** How a setting is shown in help and docs. */
export interface SettingMeta {
  readonly scope: SettingScope;
  /** Placeholder of the flag's value; absent: the flag is a switch. */
  readonly value?: string;
  /** The flag may be given several times; the environment takes a comma list. */
  readonly list?: true;
  /** What the docs say where the default is computed. */
  readonly defaultText?: string;
}

const setting = <S extends z.ZodType>(schema: S, about: string, meta: SettingMeta) =>
  schema.describe(about).meta({ ...meta });

function login(about: string, value: string, more: Partial<SettingMeta> = {}) {
  return setting(z.string().min(1).optional(), about, { scope: 'both', value, ...more });
}

/** How a command logs in to NATS, and what it knows a NATS server by. */
const NATS_SETTINGS = {
  'nats-nkey': login(
    'File with the seed of an nkey to log in to NATS with, as `shoal auth` writes it.',
    'FILE',
  ),
  'nats-user': login('User to log in to NATS with, beside a password.', 'NAME'),
  'nats-password': login(
    'Password of that user; a command line is read by others: take the variable or the file.',
    'PASSWORD',
  ),
  'nats-password-file': login('File with that password; without nats-user with USER:PASSWORD.', 'FILE'),
  'nats-token': login('Token to log in to NATS with; take the variable or the file.', 'TOKEN'),
  'nats-token-file': login('File with that token.', 'FILE'),
  'nats-creds': login('NATS credentials file (.creds, a JWT and its seed) to log in with.', 'FILE'),
  'nats-ca': login(
    'CA that signed the certificate of the NATS server, PEM; NATS is then spoken to by TLS.',
    'FILE',
    {
      defaultText: 'the public CAs that Node knows, for a tls:// URL',
    },
  ),
  'nats-cert': login('Certificate of this client for NATS, PEM.', 'FILE'),
  'nats-cert-key': login('Private key of that certificate, PEM.', 'FILE'),
} as const;

/** The names of the settings of a login to NATS, for commands that take them. */
export const NATS_LOGIN_SETTINGS = Object.keys(NATS_SETTINGS) as (keyof typeof NATS_SETTINGS)[];

const port = (fallback: number) => z.coerce.number().int().min(0).max(65535).default(fallback);
const ip = z.string().refine((text) => isIP(text) !== 0, 'not an IP address');
const token = z.string().regex(/^[A-Za-z0-9_-]{1,32}$/, 'letters, digits, - and _ only, at most 32');
const flag = z
  .union([z.boolean(), z.enum(['true', 'false', '1', '0', 'on', 'off', ''])])
  .transform((value) => value === true || value === 'true' || value === '1' || value === 'on');

const duration = (fallback: string) =>
  z
    .union([z.string(), z.number()])
    .default(fallback)
    .transform(asIssue((value) => parseDuration(String(value))));

/**
 * Every setting, by its name in the configuration file: the flag is `--name`, the variable `SHOAL_NAME`.
 * docs/CONFIG.md is generated from this table.
 */
export const SETTINGS = {
  swarm: setting(
    token.default('shoal'),
    'Name of the swarm: the first token of every subject, so that several swarms share one NATS.',
    { scope: 'both', value: 'NAME' },
  ),
  nats: setting(natsUrls.optional(), 'URL of NATS, or a comma list of them: nats://HOST:4222, or tls://.', {
    scope: 'both',
    value: 'URL',
    defaultText: 'none; `scheduler`, `seed`, `peer` and `events` take nats://127.0.0.1:4222',
  }),
  ...NATS_SETTINGS,
  'nats-replicas': setting(
    z.coerce
      .number()
      .refine((count) => [1, 3, 5].includes(count), '1, 3 or 5')
      .optional(),
    'How many servers of a NATS cluster keep the task log and who owns what: 1, 3 or 5. Where there are fewer, one does until there are enough. It is never lowered.',
    { scope: 'both', value: 'N', defaultText: '3 where NATS is a cluster, else 1' },
  ),
  dir: setting(
    z.string().min(1).optional(),
    'Where the daemon keeps its cache, its identity and its socket; one daemon a directory.',
    {
      scope: 'both',
      value: 'DIR',
      defaultText: '/var/lib/shoal as root, else ~/.local/share/shoal',
    },
  ),
  advertise: setting(ip.optional(), 'IP address that other hosts reach this one at.', {
    scope: 'host',
    value: 'IP',
    defaultText: 'the local address of the route to NATS',
  }),
  'data-listen': setting(ip.optional(), 'Address the data plane listens on.', {
    scope: 'host',
    value: 'IP',
    defaultText: 'every one, of IPv6 too where the machine has it',
  }),
  'data-port': setting(
    port(7400),
    'Port of the data plane, where other hosts fetch pieces; 0: any free one.',
    {
      scope: 'host',
      value: 'PORT',
    },
  ),
  'admin-listen': setting(ip.default('127.0.0.1'), 'Address that health and metrics listen on.', {
    scope: 'both',
    value: 'IP',
  }),
  'admin-port': setting(port(7401), 'Port of /healthz, /readyz and /metrics; 0: any free one.', {
    scope: 'both',
    value: 'PORT',
  }),
  'proxy-listen': setting(
    ip.default('127.0.0.1'),
    'Address that the registry mirror and the proxy listen on; whoever reaches it reads with the credentials of this host.',
    { scope: 'host', value: 'IP' },
  ),
  'proxy-port': setting(port(4001), 'Port of the registry mirror and the proxy; 0: any free one.', {
    scope: 'host',
    value: 'PORT',
  }),
  registry: setting(
    registries.default({}),
    'Where a registry is, as NAME=URL with NAME as clients write it: `registry.local:5000=http://10.0.0.5:5000`. The URL may have a path, below which `/v2/` lies.',
    {
      scope: 'host',
      value: 'NAME=URL',
      list: true,
      defaultText: 'docker.io at registry-1.docker.io, any other at https://NAME',
    },
  ),
  'default-registry': setting(
    registryName.optional(),
    'Registry that the mirror takes where the client names none, as Docker does.',
    { scope: 'host', value: 'NAME' },
  ),
  'proxy-rules': setting(
    proxyRules.default([]),
    'Rules of the forward proxy, before the default ones: which requests go through the swarm; the first that matches wins. Patterns are RE2’s.',
    { scope: 'host', value: 'JSON', defaultText: 'none of its own' },
  ),
  'proxy-ca-cert': setting(
    z.string().min(1).optional(),
    'Certificate of a CA, PEM, as `shoal proxy ca` makes it: with it and its key the forward proxy looks into HTTPS of clients that trust it; absent: HTTPS is tunnelled.',
    { scope: 'host', value: 'FILE' },
  ),
  'proxy-ca-key': setting(z.string().min(1).optional(), 'Private key of that CA, PEM.', {
    scope: 'host',
    value: 'FILE',
  }),
  'connect-port': setting(
    ports.default([443, 80, 5000, 8443]),
    'Port that CONNECT may go to through the forward proxy.',
    { scope: 'host', value: 'PORT', list: true, defaultText: '443, 80, 5000 and 8443' },
  ),
  'prefix-origin': setting(
    names.default([]),
    'Origin that may be read as /blobs/URL on the proxy port, as HOST[:PORT]; `*.` stands for any subdomain.',
    { scope: 'host', value: 'HOST[:PORT]', list: true, defaultText: 'none' },
  ),
  'docker-config': setting(
    z.string().min(1).optional(),
    "Docker's config.json, with the credentials this host reads registries with; it need not exist.",
    {
      scope: 'host',
      value: 'FILE',
      defaultText: 'config.json in $DOCKER_CONFIG, else in ~/.docker',
    },
  ),
  'stale-tags': setting(
    z
      .union([z.string(), z.number()])
      .transform(asIssue((value) => parseDuration(String(value))))
      .default(0),
    'How old the last answer to a tag may be that the mirror goes by while the registry cannot be reached; 0: it goes by none.',
    { scope: 'host', value: 'DURATION' },
  ),
  zone: setting(
    z.string().min(1).max(128).optional(),
    'Zone of this host, for example a rack; parents in the same zone are taken first.',
    { scope: 'host', value: 'ZONE' },
  ),
  label: setting(
    labels.default({}),
    'Label of this host, for `shoal preheat --label`: letters, digits, `.`, `_`, `/` and `-`.',
    { scope: 'host', value: 'K=V', list: true, defaultText: 'none' },
  ),
  role: setting(
    z.enum(['normal', 'seed']).default('normal'),
    'Role of this host; a seed is first in line to read origins. `shoal seed` and `shoal up` imply seed.',
    { scope: 'host', value: 'ROLE' },
  ),
  'allow-origin': setting(
    names.default([]),
    'Origin that may be read though its address is loopback, link-local or metadata, as HOST[:PORT]; a loopback origin named here means the same to all hosts.',
    { scope: 'host', value: 'HOST[:PORT]', list: true },
  ),
  'only-origin': setting(
    names.default([]),
    'Origin that may be read, as HOST[:PORT]; all others are refused.',
    {
      scope: 'host',
      value: 'HOST[:PORT]',
      list: true,
      defaultText: 'all but refused addresses',
    },
  ),
  'origin-proxy': setting(
    z.string().max(2_000).optional(),
    'Proxy that origins and registries are read through, as URL with its credentials: `http://`, `https://` or `socks5://`; `off`: none, whatever the environment says. What NO_PROXY names is read without.',
    {
      scope: 'host',
      value: 'URL',
      defaultText:
        '`HTTP_PROXY`, `HTTPS_PROXY` and `ALL_PROXY` of the environment, not for this machine itself',
    },
  ),
  'origin-readers': setting(
    z.enum(['all', 'seeds']).default('all'),
    'Which hosts read origins: all that can, seeds first in line, or seeds alone. A scheduler so told leases them to seeds, all but what needs credentials.',
    { scope: 'both', value: 'WHO' },
  ),
  'starved-after': setting(
    duration('5s'),
    'Without a new piece for this long a download reads the origin for what it lacks, whatever its scheduler answers; longer where pieces take long here.',
    { scope: 'host', value: 'DURATION', defaultText: '5s' },
  ),
  'cache-size': setting(
    z
      .union([z.string(), z.number()])
      .transform(asIssue((value) => parseBytes(String(value))))
      .optional(),
    'Most bytes the cache may take; the least recently used content is evicted first.',
    {
      scope: 'host',
      value: 'SIZE',
      defaultText: '80 % of what is free on the disk of `dir` and what the cache takes of it already',
    },
  ),
  'data-tls': setting(
    z.enum(['private', 'all', 'off']).default('private'),
    'What goes between hosts by TLS 1.3: content that is not public (private), all of it, or none but what the other host insists on (off).',
    { scope: 'host', value: 'WHAT' },
  ),
  'limit-up': setting(
    z
      .union([z.string(), z.number()])
      .transform(asIssue((value) => parseRate(String(value))))
      .optional(),
    'Bandwidth given to other hosts, in all, for example 20MB or 100Mbit; 0: no limit.',
    { scope: 'host', value: 'RATE', defaultText: 'no limit' },
  ),
  'limit-down': setting(
    z
      .union([z.string(), z.number()])
      .transform(asIssue((value) => parseRate(String(value))))
      .optional(),
    'Bandwidth taken from hosts and origins, in all, for example 20MB or 100Mbit; 0: no limit.',
    { scope: 'host', value: 'RATE', defaultText: 'no limit' },
  ),
  'scrub-rate': setting(
    z
      .union([z.string(), z.number()])
      .default('4MiB')
      .transform(asIssue((value) => parseRate(String(value)))),
    'How much of its cache a host reads in a second, once a day, to find what the disk damaged; 0: not at all.',
    { scope: 'host', value: 'RATE', defaultText: '4MiB' },
  ),
  'access-memory': setting(
    duration('30s'),
    'How long it is remembered that a source let a credential in to content; 0: it is asked each time.',
    { scope: 'host', value: 'DURATION', defaultText: '30s' },
  ),
  'access-grace': setting(
    duration('10m'),
    'While a source cannot be reached, how old its last word for a credential may be; 0: content behind credentials is given to nobody then.',
    { scope: 'host', value: 'DURATION', defaultText: '10m' },
  ),
  'gateway-listen': setting(ip.default('127.0.0.1'), 'Address that the HTTP API listens on.', {
    scope: 'gateway',
    value: 'IP',
  }),
  'gateway-port': setting(port(7402), 'Port of the HTTP API, and of what Harbor asks; 0: any free one.', {
    scope: 'gateway',
    value: 'PORT',
  }),
  'gateway-cert': setting(
    z.string().min(1).optional(),
    'Certificate of the HTTP API, PEM: with it and its key it is spoken to by TLS.',
    { scope: 'gateway', value: 'FILE', defaultText: 'none: plain HTTP' },
  ),
  'gateway-key': setting(z.string().min(1).optional(), 'Private key of that certificate, PEM.', {
    scope: 'gateway',
    value: 'FILE',
  }),
  'harbor-login': setting(
    z.enum(['token', 'none']).default('token'),
    'Whether Harbor has to show a token (token), or whoever reaches the port may preheat as Harbor does (none).',
    { scope: 'gateway', value: 'WHAT' },
  ),
  'log-level': setting(
    z.enum(['debug', 'info', 'warn', 'error', 'silent']).default('info'),
    'Least level that is logged.',
    {
      scope: 'both',
      value: 'LEVEL',
    },
  ),
  'log-format': setting(
    z.enum(['json', 'plain']).optional(),
    'Form of the log on standard error: json, one object a line, or plain, for people.',
    { scope: 'both', value: 'FORM', defaultText: 'plain on a terminal, else json' },
  ),
  'piece-events': setting(
    flag.default(false),
    'Publish an event for every piece; costly, for debugging only.',
    { scope: 'both' },
  ),
} as const;

/** The whole configuration file; a key that is not a setting is an error. */
export const settingsSchema = z.strictObject(SETTINGS);
/** Name of a setting, as in the configuration file. */
export type SettingName = keyof typeof SETTINGS;
/** All settings, validated, with their defaults. */
export type Settings = z.infer<typeof settingsSchema>;

/** How a setting is shown. */
export function settingMeta(name: SettingName): SettingMeta & { readonly about: string } {
  const meta = SETTINGS[name].meta() as unknown as SettingMeta & { description: string };
  return { ...meta, about: meta.description };
}

/** `cache-size` → `SHOAL_CACHE_SIZE`. */
export function settingVariable(name: SettingName): string {
  return `SHOAL_${name.replaceAll('-', '_').toUpperCase()}`;
}

/** The settings that concern a role, in order. */
export function settingsOf(scope: 'host' | 'scheduler' | 'gateway'): SettingName[] {
  const names = Object.keys(SETTINGS) as SettingName[];
  return names.filter((name) => ['both', scope].includes(settingMeta(name).scope));
}
