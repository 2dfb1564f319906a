import type { Registry } from 'prom-client';
import { addHostGauges } from '../app/host-gauges.ts';
import { openGatewayMetrics, openHostMetrics, openSchedulerMetrics } from '../app/metrics.ts';
import { SETTINGS, type SettingName, settingMeta, settingVariable } from '../app/settings.ts';
import { ERRORS, type ErrorCode } from '../core/errors.ts';
import { ORIGIN_REASONS } from '../core/origin-reasons.ts';
import { timeSpentSchema } from '../core/time-spent.ts';

const EXITS: readonly (readonly [number, string])[] = [
  [0, 'done'],
  [1, 'failure'],
  [2, 'usage: a flag, a value or a configuration is wrong'],
  [3, 'not found'],
  [4, 'the content does not have the digest'],
  [5, 'the origin, or the rules about origins, refused'],
  [6, 'no space'],
  [75, 'try again later'],
  [124, '`--timeout` passed'],
  [130, 'interrupted'],
];

function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const line = (cells: readonly string[]) =>
    `| ${cells.map((cell) => cell.replaceAll('|', '\\|')).join(' | ')} |`;
  return [line(head), line(head.map(() => '---')), ...rows.map(line)].join('\n');
}

/** docs/ERRORS.md. */
export function errorsPage(): string {
  const rows = (Object.keys(ERRORS) as ErrorCode[]).map((code) => {
    const { status, exit, retryable, audience, fix } = ERRORS[code];
    return [`\`${code}\``, String(status), String(exit), retryable ? 'yes' : 'no', audience, fix];
  });
  return `# Errors

Every error has a code, the same in the log, on the command line, in events and over HTTP. The command line prints what happened, why, and what to do;
with \`--json\` it prints the same as an object. *For* says who can do something about it: the user who asked, or the operator of the system.

## Exit codes

${table(
  ['exit', 'meaning'],
  EXITS.map(([exit, meaning]) => [String(exit), meaning]),
)}

## Codes

${table(['code', 'HTTP', 'exit', 'retry', 'for', 'what to do'], rows)}

This page is made from \`core/errors.ts\` by \`scripts/docs.ts\`.
`;
}

/** docs/CONFIG.md. */
export function configPage(): string {
  const rows = (Object.keys(SETTINGS) as SettingName[]).map((name) => {
    const { about, value, list, scope, defaultText } = settingMeta(name);
    const { data } = SETTINGS[name].safeParse(undefined);
    const plain = isEmpty(data) ? 'none' : `\`${String(data)}\``;
    const flag = `\`--${name}${value === undefined ? '' : ` ${value}`}\`${list ? ', repeatable' : ''}`;
    const where = { host: 'hosts', scheduler: 'schedulers', gateway: 'gateways', both: 'all' }[scope];
    return [`\`${name}\``, flag, `\`${settingVariable(name)}\``, defaultText ?? plain, where, about];
  });
  return `# Configuration

Every setting is a flag, an environment variable and a key of the configuration file. A flag wins over the variable, the variable over the file.
The file is YAML, one \`name: value\` a line, named by \`--config FILE\` or \`SHOAL_CONFIG\`. A key that is not a setting is an error.
One that does not concern a role is ignored there.

\`\`\`yaml
nats: nats://10.0.0.1:4222
dir: /srv/shoal
zone: rack7
cache-size: 200GiB
limit-up: 100MB
allow-origin: [registry.local:5000, 169.254.10.10]
\`\`\`

Sizes: \`512MiB\`, \`64GiB\` (powers of 1024), \`20MB\` (powers of 1000), or bytes without a unit, from 1048576 on.
Rates: the same a second, or \`100Mbit\`. Durations: \`500ms\`, \`30s\`, \`5m\`, \`1h30m\`.
Lists: a repeated flag, a comma list in a variable, a YAML list in the file. Credentials for NATS stand in its URL or in \`nats-creds\`; they are never logged.

${table(['setting', 'flag', 'variable', 'default', 'for', 'what'], rows)}

This page is made from \`app/settings.ts\` by \`scripts/docs.ts\`.
`;
}

function isEmpty(value: unknown): boolean {
  return (
    value === undefined || (typeof value === 'object' && value !== null && Object.keys(value).length === 0)
  );
}

/** docs/METRICS.md. */
export async function metricsPage(): Promise<string> {
  return `# Metrics

\`http://<admin-listen>:<admin-port>/metrics\` in Prometheus' text format.
\`/healthz\` (200: runs) and \`/readyz\` (200: can do its work, else 503) beside it answer JSON.
\`shoal up\` shows the metrics of its host and its scheduler together.

Every daemon tells \`process_*\` and \`nodejs_*\` too, as prom-client names them, and \`shoal_build_info\` with its \`version\` and \`node\`.
Alert rules are in \`deploy/prometheus/\`, dashboards in \`deploy/grafana/\`.

## Hosts

${await metricsTable(hostRegistry())}

## Schedulers

${await metricsTable(openSchedulerMetrics().registry)}

## Gateways

${await metricsTable(openGatewayMetrics().registry)}

Reasons of \`shoal_origin_bytes_total\`:

${table(
  ['reason', 'what'],
  Object.entries(ORIGIN_REASONS).map(([reason, { about }]) => [`\`${reason}\``, about]),
)}

Parts of \`shoal_download_seconds_total\`, which [EXPLAIN.md](EXPLAIN.md) defines:

${table(
  ['part', 'what'],
  Object.entries(timeSpentSchema.shape).map(([part, { description = '' }]) => [`\`${part}\``, description]),
)}

This page is made from \`app/metrics.ts\` by \`scripts/docs.ts\`.
`;
}

function hostRegistry(): Registry {
  const { registry } = openHostMetrics();
  addHostGauges(registry, () => ({ quotaBytes: 0, adrift: 0, starved: 0, isolated: false, troubled: [] }));
  return registry;
}

async function metricsTable(registry: Registry): Promise<string> {
  const metrics = registry.getMetricsAsArray() as unknown as readonly {
    name: string;
    help: string;
    labelNames: readonly string[];
    constructor: { name: string };
  }[];
  const rows = metrics.map((metric) => [
    `\`${metric.name}\``,
    metric.constructor.name.toLowerCase(),
    metric.labelNames.map((label) => `\`${label}\``).join(' '),
    metric.help,
  ]);
  return table(['metric', 'type', 'labels', 'what'], rows);
}
