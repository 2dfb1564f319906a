import { useEffect, useMemo, useState } from 'preact/hooks';
import { typeOf, useFollow, useLive } from '../live.ts';
import { Traffic, type TrafficRows } from '../parts/traffic.tsx';
import { Trouble } from '../parts/trouble.tsx';
import { hrefOf } from '../place.ts';
import type { BytesBySource, Status, SwarmEvent, Task } from '../rows.ts';
import { bytesText, counted, shortId } from '../words.ts';
import { savedPrice } from './settings.tsx';

const WINDOW_S = 120;
const MOST_ALERTS = 8;
/** Events that somebody should look at, and what they mean. */
const ALERTS: Readonly<Record<string, string>> = {
  'task.failed': 'a task failed',
  'peer.failed': 'a host gave a download up',
  'peer.adrift': 'a host hears no scheduler',
  'peer.starved': 'a host reads the origin for want of pieces',
  'piece.rejected': 'a host gave wrong bytes',
  'piece.damaged': 'a disk gave wrong bytes',
  'source.banned': 'a source contradicts the digest',
  'host.isolated': 'a host cannot be reached',
  'host.lost': 'a host is gone',
};

interface Second {
  readonly at: number;
  readonly peers: number;
  readonly origin: number;
}

/** What the swarm does now, what it spared, and what wants somebody. */
export function SwarmPage() {
  const status = useLive<Status>('/api/v1/status');
  const active = useLive<{ tasks: readonly Task[] }>('/api/v1/tasks?state=active&limit=10');
  const [sums, setSums] = useState<BytesBySource>({ origin: 0, peers: 0, local: 0 });
  const [seconds, setSeconds] = useState<readonly Second[]>([]);
  const [alerts, setAlerts] = useState<readonly SwarmEvent[]>([]);
  const [now, setNow] = useState(() => Math.floor(Date.now() / 1000));
  useEffect(() => {
    const timer = setInterval(() => setNow(Math.floor(Date.now() / 1000)), 1000);
    return () => clearInterval(timer);
  }, []);
  useFollow<SwarmEvent>('/api/v1/events', (name, event) => {
    if (name !== 'event') return;
    if (typeOf(event) in ALERTS) setAlerts((before) => [event, ...before].slice(0, MOST_ALERTS));
    if (typeOf(event) !== 'peer.completed') return;
    const bytes = event.data?.['bytes'] as BytesBySource;
    setSums(({ origin, peers, local }) => ({
      origin: origin + bytes.origin,
      peers: peers + bytes.peers,
      local: local + bytes.local,
    }));
    const at = Math.floor(Date.now() / 1000);
    setSeconds((before) => [...before.filter((second) => second.at > at - WINDOW_S), { at, ...bytes }]);
  });
  const rows = useMemo((): TrafficRows => {
    const times = Array.from({ length: WINDOW_S }, (_, at) => now - WINDOW_S + 1 + at);
    const sumAt = (kind: 'peers' | 'origin') => {
      const of = new Map<number, number>();
      for (const second of seconds) of.set(second.at, (of.get(second.at) ?? 0) + second[kind]);
      return times.map((time) => of.get(time) ?? 0);
    };
    return [times, sumAt('peers'), sumAt('origin')];
  }, [seconds, now]);
  const { data } = status;
  return (
    <>
      <h1>Swarm {data?.swarm}</h1>
      <Trouble error={status.error} />
      <dl class="tiles">
        <Tile name="hosts" value={data?.hosts.toLocaleString()} href={hrefOf('hosts')} />
        <Tile name="tasks" value={data?.tasks.toLocaleString()} href={hrefOf('tasks')} />
        <Tile
          name="moving now"
          value={active.data && String(active.data.tasks.length)}
          href={hrefOf('tasks', '', { state: 'active' })}
        />
        <Tile name="schedulers" value={data && String(data.schedulers)} href={hrefOf('schedulers')} />
        <Tile name="spared the origin" value={savedText(sums)} />
      </dl>
      <h2>Traffic since this page was opened</h2>
      <Traffic rows={rows} />
      <h2>Needs attention</h2>
      <ul class="alerts">
        {data && data.nats !== 'connected' && <li>the gateway’s connection to NATS is {data.nats}</li>}
        {data && data.schedulers === 0 && <li>no scheduler answers: hosts carry on with those they know</li>}
        {data && data.schedulers > 0 && data.partitions.unserved.length > 0 && (
          <li>{counted(data.partitions.unserved.length, 'partition')} of the tasks nobody serves</li>
        )}
        {alerts.map((event) => (
          <li key={event.id}>
            {ALERTS[typeOf(event)]}:{' '}
            {shortId(String(event.data?.['hostId'] ?? event.data?.['taskId'] ?? event.subject ?? ''))}{' '}
            <span class="quiet">{event.time}</span>
          </li>
        ))}
        {data && data.schedulers > 0 && data.partitions.unserved.length === 0 && alerts.length === 0 && (
          <li class="quiet">nothing</li>
        )}
      </ul>
    </>
  );
}

function Tile({ name, value, href }: { name: string; value: string | undefined; href?: string }) {
  const shown = value ?? '–';
  return (
    <div>
      <dt>{name}</dt>
      <dd>{href === undefined ? shown : <a href={href}>{shown}</a>}</dd>
    </div>
  );
}

/** Bytes that hosts had from each other instead of from an origin, and what they would have cost there. */
function savedText({ peers, local }: BytesBySource): string {
  const price = savedPrice();
  const money = price > 0 ? `, ${(((peers + local) / 1e9) * price).toFixed(2)} at ${price}/GB` : '';
  return `${bytesText(peers + local)}${money}`;
}
