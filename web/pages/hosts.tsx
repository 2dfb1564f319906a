import type { PageProps } from '../app.tsx';
import { typeOf, useEvents, useLive } from '../live.ts';
import { Pages, usePaged } from '../parts/paged.tsx';
import { Table } from '../parts/table.tsx';
import { Trouble } from '../parts/trouble.tsx';
import { go, hrefOf } from '../place.ts';
import type { Host } from '../rows.ts';
import { bytesText, shortId, spanText } from '../words.ts';

/** The hosts of the swarm, or one of them. */
export function HostsPage(props: PageProps) {
  return props.place.id === '' ? <HostList {...props} /> : <OneHost {...props} />;
}

function HostList({ place: { query } }: PageProps) {
  const wanted = { id: query.get('id') ?? '', role: query.get('role') ?? '', zone: query.get('zone') ?? '' };
  const asked = new URLSearchParams(Object.entries(wanted).filter(([, value]) => value !== ''));
  const list = usePaged<{ hosts: readonly Host[]; next?: string }>(`/api/v1/hosts?${asked}`);
  const searched = (event: SubmitEvent) => {
    event.preventDefault();
    const form = new FormData(event.currentTarget as HTMLFormElement);
    const text = (name: string) => String(form.get(name) ?? '').trim();
    go(hrefOf('hosts', '', { id: text('id'), role: text('role'), zone: text('zone') }));
  };
  return (
    <>
      <h1>Hosts</h1>
      <form class="search" onSubmit={searched}>
        <label>
          Id, or its beginning
          <input name="id" type="search" pattern="[0-9a-f]*" defaultValue={wanted.id} />
        </label>
        <label>
          Role
          <select name="role" defaultValue={wanted.role}>
            <option value="">any</option>
            <option>seed</option>
            <option>normal</option>
          </select>
        </label>
        <label>
          Zone
          <input name="zone" defaultValue={wanted.zone} />
        </label>
        <button type="submit">Search</button>
      </form>
      <Trouble error={list.error} />
      <Table
        caption="Hosts"
        rows={list.data?.hosts}
        keyOf={({ hostId }) => hostId}
        empty="no host fits"
        columns={[
          { title: 'Host', cell: ({ hostId }) => <a href={hrefOf('hosts', hostId)}>{shortId(hostId)}</a> },
          { title: 'Role', cell: ({ role }) => role },
          { title: 'Zone', cell: ({ zone }) => zone ?? '–' },
          {
            title: 'Address',
            cell: ({ ip, port }) => (ip.includes(':') ? `[${ip}]:${port}` : `${ip}:${port}`),
          },
          { title: 'Up', number: true, cell: ({ uploading }) => uploading },
          { title: 'Down', number: true, cell: ({ downloading }) => downloading },
          { title: 'Cache', number: true, cell: ({ cachedBytes }) => bytesText(cachedBytes) },
          { title: 'Tasks', number: true, cell: ({ cachedTasks }) => cachedTasks },
          { title: 'Heard of', number: true, cell: ({ aliveAgoMs }) => `${spanText(aliveAgoMs)} ago` },
          { title: 'Version', cell: ({ version }) => version },
        ]}
      />
      <Pages {...list} />
    </>
  );
}

function OneHost({ place: { id } }: PageProps) {
  const host = useLive<Host>(`/api/v1/hosts/${encodeURIComponent(id)}`, 1_000);
  const events = useEvents('/api/v1/events');
  const own = events.filter(({ data, subject }) => data?.['hostId'] === id || subject === id);
  const { data } = host;
  const labels = Object.entries(data?.labels ?? {}).map((pair) => pair.join('='));
  return (
    <>
      <h1>Host {shortId(id)}</h1>
      <Trouble error={host.error} />
      <dl class="facts">
        <dt>id</dt>
        <dd class="long">{id}</dd>
        <dt>address</dt>
        <dd>{data === undefined ? '–' : `${data.ip}, port ${data.port}`}</dd>
        <dt>role, zone</dt>
        <dd>{data === undefined ? '–' : `${data.role}, ${data.zone ?? 'no zone'}`}</dd>
        <dt>labels</dt>
        <dd>{labels.join(', ') || '–'}</dd>
        <dt>transfers</dt>
        <dd>{data === undefined ? '–' : `${data.uploading} up, ${data.downloading} down`}</dd>
        <dt>cache</dt>
        <dd>{data === undefined ? '–' : `${bytesText(data.cachedBytes)} in ${data.cachedTasks} tasks`}</dd>
        <dt>heard of</dt>
        <dd>{data === undefined ? '–' : `${spanText(data.aliveAgoMs)} ago, version ${data.version}`}</dd>
      </dl>
      <h2>Events since this page was opened</h2>
      <ul class="events">
        {own.map((event) => (
          <li key={event.id}>
            <time>{event.time}</time> <b>{typeOf(event)}</b> {shortId(String(event.data?.['taskId'] ?? ''))}
          </li>
        ))}
        {own.length === 0 && <li class="quiet">none yet</li>}
      </ul>
    </>
  );
}
