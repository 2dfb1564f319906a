import { expect, test } from 'vitest';
import { openHostMetrics, openSchedulerMetrics } from '../../app/metrics.ts';

test('a host counts bytes by source, reasons, results and slots', async () => {
  const { metrics, text } = openHostMetrics();
  metrics.received('peer', 10);
  metrics.received('origin', Number.NaN);
  metrics.received('origin', -1);
  metrics.sent(7);
  metrics.originRead('lone-host', 3);
  metrics.getEnded('ok', 1500);
  metrics.getEnded('ERR_TIMEOUT', 9);
  metrics.pieceFailed('stalled');
  metrics.slots('up', 3, 12);
  metrics.cache(100, 2);
  metrics.busState('connected');
  const shown = await text();
  for (const line of [
    'shoal_bytes_total{source="peer"} 10',
    'shoal_bytes_total{source="origin"} 0',
    'shoal_sent_bytes_total 7',
    'shoal_origin_bytes_total{reason="lone-host"} 3',
    'shoal_get_total{result="ok"} 1',
    'shoal_get_total{result="ERR_TIMEOUT"} 1',
    'shoal_get_duration_seconds_count 1',
    'shoal_failures_total{reason="stalled"} 1',
    'shoal_slots{direction="up",state="used"} 3',
    'shoal_slots{direction="up",state="free"} 9',
    'shoal_cache_bytes 100',
    'shoal_cache_tasks 2',
    'shoal_bus_state{state="connected"} 1',
    'shoal_bus_state{state="disconnected"} 0',
  ]) {
    expect(shown).toContain(line);
  }
});

test('a scheduler counts syncs, and two in one process do not mix', async () => {
  const one = openSchedulerMetrics();
  const other = openSchedulerMetrics();
  one.metrics.known(4, 5);
  one.metrics.synced(0.4);
  const shown = await one.text();
  expect(shown).toContain('shoal_tasks 4');
  expect(shown).toContain('shoal_hosts 5');
  expect(shown).toContain('shoal_syncs_total 1');
  expect(await other.text()).toContain('shoal_syncs_total 0');
});
