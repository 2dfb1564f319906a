import { useState } from 'preact/hooks';
import type { PageProps } from '../app.tsx';
import { typeOf, useEvents, useLive } from '../live.ts';
import { Cells } from '../parts/cells.tsx';
import { Change } from '../parts/change.tsx';
import { Feeds } from '../parts/feeds.tsx';
import { Pages, usePaged } from '../parts/paged.tsx';
import { Table } from '../parts/table.tsx';
import { Trouble } from '../parts/trouble.tsx';
import { go, hrefOf } from '../place.ts';
import type { BytesBySource, Job, Task, TaskHost } from '../rows.ts';
import { isAllowed } from '../scopes.ts';
import { bytesText, counted, reasonList, shortId, spanText } from '../words.ts';

interface Explained {
  readonly hosts: readonly {
    readonly hostId: string;
    readonly outcome: string;
    readonly durationMs: number;
    readonly bytes: BytesBySource;
    readonly originReasons: Readonly<Record<string, number>>;
    readonly time?: Readonly<Record<string, number>>;
  }[];
}

/** One task: how far each host is, who feeds whom, why the origin was read. */
export function TaskPage({ who, place: { id } }: PageProps) {
  const path = `/api/v1/tasks/${encodeURIComponent(id)}`;
  const task = useLive<Task>(path, 1_000);
  const hosts = usePaged<{ hosts: readonly TaskHost[]; next?: string }>(`${path}/hosts`);
  const [isExplained, setExplained] = useState(false);
  const explained = useLive<Explained>(isExplained ? `${path}/explain?limit=100` : undefined, 5_000);
  const events = useEvents(`/api/v1/events?id=${encodeURIComponent(id)}`);
  const { data } = task;
  const rows = hosts.data?.hosts;
  return (
    <>
      <h1>Task {shortId(id)}</h1>
      <Trouble error={task.error} />
      <dl class="facts">
        <dt>id</dt>
        <dd class="long">{id}</dd>
        <dt>state</dt>
        <dd>{data === undefined ? '–' : `${data.state}, ${bytesText(data.length)}, ${data.audience}`}</dd>
        <dt>source</dt>
        <dd class="long">{data?.sources.join(', ') || '–'}</dd>
        <dt>copies</dt>
        <dd>{data === undefined ? '–' : `${counted(data.holders, 'host')}, ${data.fetching} fetching`}</dd>
        <dt>origin read</dt>
        <dd>{reasonList(data?.originReasons) || 'nothing that is known'}</dd>
        {data?.error && (
          <>
            <dt>error</dt>
            <dd>
              {data.error.message} ({data.error.code})
            </dd>
          </>
        )}
      </dl>
      <p class="actions">
        {isAllowed(who, ['jobs']) && (
          <Change
            label="pin 2 copies"
            path="/api/v1/jobs"
            method="POST"
            body={{ kind: 'pin', what: [id], pin: { copies: 2 } }}
            done={(answer) => go(hrefOf('jobs', (answer as { job: Job }).job.id))}
          />
        )}
        {isAllowed(who, ['admin']) && (
          <Change
            label="remove everywhere"
            sure="Every host gives it up."
            path={path}
            method="DELETE"
            done={() => go(hrefOf('tasks'))}
          />
        )}
      </p>
      <h2>Hosts</h2>
      <div class="columns">
        <div>
          <Table
            caption="Hosts of the task"
            rows={rows}
            keyOf={({ hostId }) => hostId}
            empty="no host has any of it"
            columns={[
              {
                title: 'Host',
                cell: ({ hostId }) => <a href={hrefOf('hosts', hostId)}>{shortId(hostId)}</a>,
              },
              { title: 'State', cell: ({ state }) => state },
              {
                title: 'Pieces',
                cell: (row) => (
                  <Cells cells={row.cells} share={shareOf(row)} label={`pieces of ${shortId(row.hostId)}`} />
                ),
              },
              { title: 'From origin', number: true, cell: ({ bytes }) => bytesText(bytes.origin) },
              { title: 'From hosts', number: true, cell: ({ bytes }) => bytesText(bytes.peers) },
            ]}
          />
          <Pages {...hosts} />
        </div>
        {rows !== undefined && rows.length > 0 && <Feeds hosts={rows} />}
      </div>
      <h2>Explain</h2>
      {!isExplained && (
        <button type="button" onClick={() => setExplained(true)}>
          ask every host
        </button>
      )}
      <Trouble error={explained.error} />
      {isExplained && (
        <Table
          caption="Where the bytes came from"
          rows={explained.data?.hosts}
          keyOf={({ hostId }) => hostId}
          empty="no host tells of it any more"
          columns={[
            { title: 'Host', cell: ({ hostId }) => shortId(hostId) },
            { title: 'Outcome', cell: ({ outcome, durationMs }) => `${outcome} in ${spanText(durationMs)}` },
            { title: 'Origin', number: true, cell: ({ bytes }) => bytesText(bytes.origin) },
            { title: 'Hosts', number: true, cell: ({ bytes }) => bytesText(bytes.peers) },
            { title: 'Why the origin', cell: ({ originReasons }) => reasonList(originReasons) || '–' },
            { title: 'Time', cell: ({ time = {} }) => timesText(time) },
          ]}
        />
      )}
      <h2>Events since this page was opened</h2>
      <ul class="events">
        {events.map((event) => (
          <li key={event.id}>
            <time>{event.time}</time> <b>{typeOf(event)}</b> {shortId(String(event.data?.['hostId'] ?? ''))}
          </li>
        ))}
        {events.length === 0 && <li class="quiet">none yet</li>}
      </ul>
    </>
  );
}

function shareOf({ have, pieces, state }: TaskHost): number {
  if (state === 'complete') return 1;
  return pieces === 0 ? 0 : have / pieces;
}

/** What the time went to, the most first. */
function timesText(time: Readonly<Record<string, number>>): string {
  return Object.entries(time)
    .filter(([, ms]) => ms >= 1)
    .sort(([, a], [, b]) => b - a)
    .slice(0, 3)
    .map(([name, ms]) => `${name} ${spanText(ms)}`)
    .join(', ');
}
