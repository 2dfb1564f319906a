import type { PageProps } from '../app.tsx';
import { typeOf, useEvents } from '../live.ts';
import { go, hrefOf } from '../place.ts';

/** What happens in the swarm, as it happens; changes by the API are `api.changed`. */
export function EventsPage({ place: { query } }: PageProps) {
  const type = query.get('type') ?? '';
  const events = useEvents(`/api/v1/events${type === '' ? '' : `?type=${encodeURIComponent(type)}`}`);
  const searched = (event: SubmitEvent) => {
    event.preventDefault();
    const form = new FormData(event.currentTarget as HTMLFormElement);
    go(hrefOf('events', '', { type: String(form.get('type') ?? '') }));
  };
  return (
    <>
      <h1>Events</h1>
      <form class="search" onSubmit={searched}>
        <label>
          Of the kind
          <select name="type" defaultValue={type}>
            <option value="">all</option>
            <option value="api.">changes by the API</option>
            {['peer.', 'piece.', 'task.', 'host.', 'scheduler.', 'job.', 'image.'].map((kind) => (
              <option key={kind} value={kind}>
                {kind.slice(0, -1)}
              </option>
            ))}
          </select>
        </label>
        <button type="submit">Follow</button>
      </form>
      <ul class="events" aria-live="off">
        {events.map((event) => (
          <li key={event.id}>
            <time>{event.time}</time> <b>{typeOf(event)}</b>{' '}
            <span class="long">
              {Object.entries(event.data ?? {})
                .map(
                  ([name, value]) => `${name}=${typeof value === 'string' ? value : JSON.stringify(value)}`,
                )
                .join(' ')}
            </span>
          </li>
        ))}
        {events.length === 0 && <li class="quiet">nothing has happened since this page was opened</li>}
      </ul>
    </>
  );
}
