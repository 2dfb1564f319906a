import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { parse } from 'yaml';
import { z } from 'zod';
import { addHostGauges } from '../../app/host-gauges.ts';
import { openGatewayMetrics, openHostMetrics, openSchedulerMetrics } from '../../app/metrics.ts';
import { addProcessMetrics } from '../../app/process-metrics.ts';
import { ROOT, run, startCommand } from '../support/child.ts';
import { tempDir } from '../support/temp-dir.ts';

const RULES = join(ROOT, 'deploy/prometheus/shoal-alerts.yaml');
const DASHBOARDS = join(ROOT, 'deploy/grafana');

const rulesSchema = z.object({
  groups: z.array(z.object({ rules: z.array(z.object({ alert: z.string(), expr: z.string() })) })),
});
const dashboardSchema = z.object({
  panels: z.array(z.object({ title: z.string(), targets: z.array(z.object({ expr: z.string() })) })),
});

/** Every query of the rules and the dashboards, as Prometheus is asked it. */
function queries(): string[] {
  const { groups } = rulesSchema.parse(parse(readFileSync(RULES, 'utf8')));
  const ofRules = groups.flatMap(({ rules }) => rules.map(({ expr }) => expr));
  const ofPanels = readdirSync(DASHBOARDS).flatMap((file) => {
    const { panels } = dashboardSchema.parse(JSON.parse(readFileSync(join(DASHBOARDS, file), 'utf8')));
    return panels.flatMap(({ targets }) => targets.map(({ expr }) => expr));
  });
  return [...ofRules, ...ofPanels].map((query) =>
    query.replaceAll('$__rate_interval', '1m').replaceAll('$instance', '.*'),
  );
}

/** Names of all that daemons tell, as Prometheus knows it. */
async function toldNames(): Promise<Set<string>> {
  const host = openHostMetrics();
  addHostGauges(host.registry, () => ({
    quotaBytes: 0,
    adrift: 0,
    starved: 0,
    isolated: false,
    troubled: [],
  }));
  addProcessMetrics(host.registry);
  const all = [host, openSchedulerMetrics(), openGatewayMetrics()].map(({ registry }) => registry);
  const families = (await Promise.all(all.map((registry) => registry.getMetricsAsJSON()))).flat();
  const names = families.flatMap(({ name, type }) =>
    String(type) === 'histogram' ? [`${name}_bucket`, `${name}_count`, `${name}_sum`] : [name],
  );
  return new Set(names);
}

test('each rule fires by its fault, and none in a swarm that is well', async () => {
  expect(await run(['promtool', 'check', 'rules', RULES])).toContain('SUCCESS');
  const tests = RULES.replace(/\.yaml$/, '.test.yaml');
  expect(await run(['promtool', 'test', 'rules', tests])).toContain('SUCCESS');
});

test('every query of rules and dashboards is one that Prometheus takes, of numbers that daemons tell', async () => {
  await using temp = await tempDir();
  const asked = queries();
  expect(asked.length).toBeGreaterThan(40);
  const file = join(temp.path, 'queries.yaml');
  const rules = asked.map((expr, index) => ({ record: `query:${index}`, expr }));
  writeFileSync(file, JSON.stringify({ groups: [{ name: 'queries', rules }] }));
  expect(await run(['promtool', 'check', 'rules', file])).toContain('SUCCESS');
  const told = await toldNames();
  const names = asked.flatMap((query) => query.match(/\b(?:shoal|process|nodejs)_[a-z0-9_]+/g) ?? []);
  expect([...new Set(names)].filter((name) => !told.has(name))).toEqual([]);
});

test('what Prometheus reads of a host is well-formed', async () => {
  await using temp = await tempDir();
  const { registry, text } = openHostMetrics();
  addProcessMetrics(registry);
  const file = join(temp.path, 'metrics');
  writeFileSync(file, await text());
  // 3: it is read, and promtool would name something else.
  const checked = await startCommand(['sh', '-c', `promtool check metrics <${file}`]).done;
  expect([0, 3], checked.stderr).toContain(checked.code);
  expect(await text()).toMatch(/^shoal_build_info\{version="[^"]+",node="v[^"]+"\} 1$/m);
  expect(await text()).toMatch(/^process_resident_memory_bytes \d+$/m);
});
