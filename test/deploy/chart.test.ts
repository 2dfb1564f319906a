import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { Ajv } from 'ajv';
import { describe, expect, test } from 'vitest';
import { parse } from 'yaml';
import { loadGatewayConfig, loadHostConfig, loadSchedulerConfig } from '../../app/config.ts';
import { makeClusterAccounts } from '../../app/kubernetes/accounts.ts';
import { SETTINGS, type SettingName, settingVariable } from '../../app/settings.ts';
import { firstLine, renderings } from '../../scripts/chart.ts';
import { ROOT } from '../support/child.ts';
import { type RenderedContainer, renderedObjects, renderedPods } from './rendered.ts';

const read = (path: string) => readFileSync(join(ROOT, path), 'utf8');
const pods = renderedPods();
const ours = pods.flatMap(({ where, component, pod }) =>
  [...pod.initContainers, ...pod.containers]
    .filter(({ image }) => image.includes('shoal'))
    .map((container) => ({ where: `${where} ${container.name}`, component, container })),
);

test.each(renderings())('$kept is rendered from the chart as it is', ({ values, kept }) => {
  expect(read(kept).split('\n')[0]).toBe(firstLine(values));
});

describe('values', () => {
  const check = new Ajv({ strict: false }).compile(JSON.parse(read('deploy/helm/shoal/values.schema.json')));

  test.each(['deploy/helm/shoal/values.yaml', ...renderings().map(({ values }) => values)])(
    'those of %s fit the schema',
    (path) => {
      check(parse(read(path)));
      expect(check.errors ?? []).toEqual([]);
    },
  );

  test('every value has a default, so that the schema names none that the chart does not know', () => {
    const known = Object.keys(parse(read('deploy/helm/shoal/values.yaml')));
    const { properties } = JSON.parse(read('deploy/helm/shoal/values.schema.json'));
    expect(Object.keys(properties).sort()).toEqual([...known, 'global'].sort());
  });

  test.each([
    { hosts: {} },
    { nats: { replicas: 2 } },
    { node: { runtime: 'docker' } },
    { host: { resources: { requests: { memory: 'much' } } } },
    { settings: { log_level: 'debug' } },
    { host: { cache: { path: 'var/lib/shoal' } } },
  ])('%j is refused', (values) => {
    expect(check(values)).toBe(false);
  });
});

describe('settings', () => {
  const variables = new Set((Object.keys(SETTINGS) as SettingName[]).map(settingVariable));
  const loads: Readonly<Record<string, (env: Record<string, string>) => unknown>> = {
    scheduler: (env) => loadSchedulerConfig({ flags: {}, env }),
    seed: (env) => loadHostConfig({ flags: { role: 'seed' }, env }),
    peer: (env) => loadHostConfig({ flags: {}, env }),
    gateway: (env) => loadGatewayConfig({ flags: {}, env }),
  };
  const daemons = ours.filter(({ container: { args } }) => args[0] !== undefined && args[0] in loads);

  test('there is each daemon', () => {
    expect(new Set(daemons.map(({ container: { args } }) => args[0]))).toEqual(new Set(Object.keys(loads)));
  });

  test.each(daemons)('$where is given nothing but settings, and starts with them', ({ container }) => {
    const given = container.env.filter(({ name }) => name.startsWith('SHOAL_'));
    expect(given.map(({ name }) => name).filter((name) => !variables.has(name))).toEqual([]);
    const places: Readonly<Record<string, string>> = { POD_IP: '10.1.2.3', NODE_NAME: 'node-1' };
    const env = given.map(({ name, value = '' }) => [
      name,
      value.replace(/\$\((\w+)\)/g, (_all, key: string) => places[key] ?? ''),
    ]);
    const [command = ''] = container.args;
    expect(() => loads[command]?.(Object.fromEntries(env))).not.toThrow();
  });
});

describe('pods', () => {
  test.each(pods)('$where may do as little as its work lets it', ({ component, pod }) => {
    expect(pod.enableServiceLinks).toBe(false);
    expect(pod.automountServiceAccountToken).toBe(component === 'accounts');
    expect(pod.securityContext.runAsUser === 0).toBe(component === 'host');
    expect(pod.hostNetwork).toBe(['host', 'test'].includes(component));
    for (const { securityContext } of pod.containers) {
      expect(securityContext).toMatchObject({
        privileged: false,
        readOnlyRootFilesystem: true,
        allowPrivilegeEscalation: false,
        capabilities: { drop: ['ALL'] },
      });
    }
    // The one that restarts or reloads the runtime of the node has to be.
    for (const { securityContext } of pod.initContainers) {
      expect(securityContext.privileged).toBe(pod.hostPID);
    }
  });

  test('what is written at the start of a host is what its end takes back', () => {
    const hosts = pods.filter(({ component, pod }) => component === 'host' && pod.initContainers.length > 0);
    expect(hosts.length).toBeGreaterThan(4);
    for (const { where, pod } of hosts) {
      const flags = (words: readonly string[] = []) =>
        words.slice(words.indexOf('configure-node') + 1 || words.indexOf('restore-node') + 1);
      const [init] = pod.initContainers;
      const [host] = pod.containers as [RenderedContainer];
      const asked = flags(init?.args).filter((word) => word !== '--activate' && !word.startsWith('nsenter'));
      expect(flags(host.lifecycle['postStart']?.exec.command), where).toEqual(asked);
      expect(flags(host.lifecycle['preStop']?.exec.command), where).toEqual(asked);
    }
  });
});

test('the Job may touch the Secrets that it makes and no other, and pods mount none but these', async () => {
  const made = await makeClusterAccounts(
    { read: async () => undefined, create: async () => 'made', remove: async () => 'absent' },
    { swarm: 'shoal', namespace: 'shoal', name: 'shoal', service: 'shoal-nats' },
    Date.now(),
  );
  const names = made.map(({ secret }) => secret).sort();
  const objects = renderedObjects().get('test/kubernetes/values/default.yaml') ?? [];
  const rules = objects.flatMap(({ kind, rules = [] }) => (kind === 'Role' ? rules : []));
  expect(rules.flatMap(({ resourceNames = [] }) => resourceNames).sort()).toEqual(names);
  const mounted = pods
    .filter(({ where }) => where.startsWith('default.yaml'))
    .flatMap(({ pod }) => pod.volumes.flatMap(({ secret }) => secret?.secretName ?? []));
  expect(mounted.length).toBeGreaterThan(3);
  expect(mounted.filter((name) => !names.includes(name))).toEqual([]);
});
