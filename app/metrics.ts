import { Counter, Gauge, Histogram, Registry } from 'prom-client';
import type { BusGaugeState, GatewayMetrics, HostMetrics, SchedulerMetrics } from '../core/metrics.ts';
import { REGISTRY_FAULTS } from '../core/registry-check.ts';
import { TIME_PARTS, type TimePart } from '../core/time-spent.ts';

/** A facade that actors count with, and the text that Prometheus reads. */
export interface MetricsOf<M> {
  readonly metrics: M;
  readonly registry: Registry;
  text(): Promise<string>;
}

const BUS_STATES: readonly BusGaugeState[] = ['connected', 'disconnected', 'closed'];
const TIMES = Object.keys(TIME_PARTS) as TimePart[];
const GET_SECONDS = [0.01, 0.05, 0.1, 0.5, 1, 2.5, 5, 10, 30, 60, 300, 1800];
const SYNC_SECONDS = [0.0001, 0.0005, 0.001, 0.005, 0.01, 0.05, 0.1, 0.5, 1];

function counter<L extends string>(registry: Registry, name: string, help: string, labelNames: readonly L[]) {
  return new Counter({ name, help, labelNames, registers: [registry] });
}

function gauge<L extends string>(registry: Registry, name: string, help: string, labelNames: readonly L[]) {
  return new Gauge({ name, help, labelNames, registers: [registry] });
}

function busState(registry: Registry): (state: BusGaugeState) => void {
  const help = 'Connection to NATS: 1 for the state it is in, 0 for the others.';
  const states = gauge(registry, 'shoal_bus_state', help, ['state']);
  const set = (now: BusGaugeState): void => {
    for (const state of BUS_STATES) states.set({ state }, state === now ? 1 : 0);
  };
  set('disconnected');
  return set;
}

/** Slots change with every transfer, and are looked at now and then: the gauge is filled when it is. */
function openSlots(registry: Registry): HostMetrics['slots'] {
  const now = new Map<string, { used: number; total: number }>();
  new Gauge({
    name: 'shoal_slots',
    help: 'Transfer slots, by direction and whether in use.',
    labelNames: ['direction', 'state'] as const,
    registers: [registry],
    collect() {
      for (const [direction, { used, total }] of now) {
        this.set({ direction, state: 'used' }, used);
        this.set({ direction, state: 'free' }, Math.max(0, total - used));
      }
    },
  });
  return (direction, used, total) => now.set(direction, { used, total });
}

function textOf<M>(metrics: M, registry: Registry): MetricsOf<M> {
  return { metrics, registry, text: () => registry.metrics() };
}

/** The metrics of a host daemon; docs/METRICS.md is generated from them. */
export function openHostMetrics(): MetricsOf<HostMetrics> {
  const registry = new Registry();
  const received = counter(
    registry,
    'shoal_bytes_total',
    'Verified content bytes, by where they came from.',
    ['source'],
  );
  const sent = counter(registry, 'shoal_sent_bytes_total', 'Content bytes given to other hosts.', []);
  const origin = counter(
    registry,
    'shoal_origin_bytes_total',
    'Body bytes read from origins, by why no host gave them.',
    ['reason'],
  );
  const seconds = new Histogram({
    name: 'shoal_get_duration_seconds',
    help: 'Time from the request to the last byte, of gets that succeeded.',
    buckets: GET_SECONDS,
    registers: [registry],
  });
  const spent = counter(
    registry,
    'shoal_download_seconds_total',
    'Time of downloads that are over, by what it went to.',
    ['part'],
  );
  const gets = counter(registry, 'shoal_get_total', 'Gets that ended, by `ok` or the error code.', [
    'result',
  ]);
  const failures = counter(
    registry,
    'shoal_failures_total',
    'Transfers of pieces that failed and were tried elsewhere, by reason.',
    ['reason'],
  );
  const proxied = counter(
    registry,
    'shoal_proxy_requests_total',
    'Requests to the proxy port, by what was asked for and HTTP status; 0: the client went away before.',
    ['route', 'status'],
  );
  const proxySent = counter(
    registry,
    'shoal_proxy_sent_bytes_total',
    'Body bytes given to clients of the proxy port.',
    [],
  );
  const starved = counter(
    registry,
    'shoal_starved_total',
    'Downloads that got nothing though a scheduler answers, and went to the origin; `unreachable`: holders cannot be got at from here.',
    ['why'],
  );
  const refused = counter(
    registry,
    'shoal_epochs_refused_total',
    'Epochs of schedulers that were not believed: older than one accepted, or ahead of the clock of this host.',
    ['why'],
  );
  const registries = counter(
    registry,
    'shoal_registry_failures_total',
    'Registries that are refused here or cannot be reached, so that pulls go around Shoal: each once, and again each hour.',
    ['fault'],
  );
  const slots = openSlots(registry);
  const cacheBytes = gauge(registry, 'shoal_cache_bytes', 'Bytes of content in the cache.', []);
  const cacheTasks = gauge(registry, 'shoal_cache_tasks', 'Tasks in the cache.', []);
  const evicted = counter(
    registry,
    'shoal_cache_evictions_total',
    'Tasks removed from the cache, to make room or because it was told to.',
    [],
  );
  const metrics: HostMetrics = {
    received: (source, bytes) => received.inc({ source }, positive(bytes)),
    sent: (bytes) => sent.inc(positive(bytes)),
    originRead: (reason, bytes) => origin.inc({ reason }, positive(bytes)),
    timeSpent(time) {
      for (const part of TIMES) spent.inc({ part }, positive(time[part] / 1000));
    },
    getEnded(result, durationMs) {
      gets.inc({ result });
      if (result === 'ok') seconds.observe(durationMs / 1000);
    },
    pieceFailed: (reason) => failures.inc({ reason }),
    proxyAnswered: (route, status) => proxied.inc({ route, status }),
    proxySent: (bytes) => proxySent.inc(positive(bytes)),
    slots,
    cache(bytes, tasks) {
      cacheBytes.set(bytes);
      cacheTasks.set(tasks);
    },
    evicted: () => evicted.inc(),
    starved: (why) => starved.inc({ why }),
    epochRefused: (why) => refused.inc({ why }),
    registryFailed: (fault) => registries.inc({ fault }),
    busState: busState(registry),
  };
  for (const source of ['origin', 'peer', 'local']) received.inc({ source }, 0);
  for (const fault of REGISTRY_FAULTS) registries.inc({ fault }, 0);
  return textOf(metrics, registry);
}

/** The metrics of a scheduler; docs/METRICS.md is generated from them. */
export function openSchedulerMetrics(): MetricsOf<SchedulerMetrics> {
  const registry = new Registry();
  const tasks = gauge(registry, 'shoal_tasks', 'Tasks this scheduler knows.', []);
  const hosts = gauge(registry, 'shoal_hosts', 'Hosts this scheduler has heard of lately.', []);
  const syncs = counter(registry, 'shoal_syncs_total', 'Syncs answered.', []);
  const seconds = new Histogram({
    name: 'shoal_sync_seconds',
    help: 'Time to answer a sync.',
    buckets: SYNC_SECONDS,
    registers: [registry],
  });
  const metrics: SchedulerMetrics = {
    known(taskCount, hostCount) {
      tasks.set(taskCount);
      hosts.set(hostCount);
    },
    synced(durationMs) {
      syncs.inc();
      seconds.observe(durationMs / 1000);
    },
    busState: busState(registry),
  };
  return textOf(metrics, registry);
}

/** The metrics of a gateway; docs/METRICS.md is generated from them. */
export function openGatewayMetrics(): MetricsOf<GatewayMetrics> {
  const registry = new Registry();
  const help = 'Requests to the HTTP API that were answered, by route and status.';
  const answered = counter(registry, 'shoal_api_requests_total', help, ['route', 'status']);
  const metrics: GatewayMetrics = {
    answered: (route, status) => answered.inc({ route, status }),
    busState: busState(registry),
  };
  return textOf(metrics, registry);
}

/** A counter throws on what is negative or no number. */
function positive(value: number): number {
  return value > 0 && Number.isFinite(value) ? value : 0;
}
