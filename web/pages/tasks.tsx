import type { PageProps } from '../app.tsx';
import { Pages, usePaged } from '../parts/paged.tsx';
import { Table } from '../parts/table.tsx';
import { Trouble } from '../parts/trouble.tsx';
import { go, hrefOf } from '../place.ts';
import type { Task } from '../rows.ts';
import { bytesText, shortId } from '../words.ts';
import { TaskPage } from './task.tsx';

/** What a search means: an id or a digest, an image, or part of a URL. */
function queryOf(text: string): Record<string, string> {
  const wanted = text.trim();
  if (wanted === '') return {};
  const digest = /^(sha256|sha512)[:-]([0-9a-f]*)$/.exec(wanted);
  if (digest !== null) return { id: `${digest[1]}-${digest[2]}` };
  if (/^url-[0-9a-f]*$/.test(wanted)) return { id: wanted };
  return /^[a-z0-9.-]+(:\d+)?\/[^?#]*(:[\w.-]+)?$/i.test(wanted) && !wanted.includes('//')
    ? { image: wanted }
    : { url: wanted };
}

/** The tasks of the swarm, or one of them. */
export function TasksPage(props: PageProps) {
  return props.place.id === '' ? <TaskList {...props} /> : <TaskPage {...props} />;
}

function TaskList({ place: { query } }: PageProps) {
  const search = query.get('search') ?? '';
  const state = query.get('state') ?? '';
  const asked = new URLSearchParams({ ...queryOf(search), ...(state !== '' && { state }) });
  const list = usePaged<{ tasks: readonly Task[]; next?: string }>(`/api/v1/tasks?${asked}`);
  const searched = (event: SubmitEvent) => {
    event.preventDefault();
    const form = new FormData(event.currentTarget as HTMLFormElement);
    go(
      hrefOf('tasks', '', {
        search: String(form.get('search') ?? ''),
        state: String(form.get('state') ?? ''),
      }),
    );
  };
  return (
    <>
      <h1>Tasks</h1>
      <form class="search" onSubmit={searched}>
        <label>
          Image, URL, digest or id
          <input name="search" type="search" defaultValue={search} />
        </label>
        <label>
          State
          <select name="state" defaultValue={state}>
            <option value="">any</option>
            {['active', 'idle', 'recovering', 'failed'].map((name) => (
              <option key={name}>{name}</option>
            ))}
          </select>
        </label>
        <button type="submit">Search</button>
      </form>
      <Trouble error={list.error} />
      <Table
        caption="Tasks"
        rows={list.data?.tasks}
        keyOf={({ taskId }) => taskId}
        empty="no task fits"
        columns={[
          { title: 'Task', cell: ({ taskId }) => <a href={hrefOf('tasks', taskId)}>{shortId(taskId)}</a> },
          { title: 'State', cell: ({ state: is }) => is },
          { title: 'Size', number: true, cell: ({ length }) => bytesText(length) },
          { title: 'Copies', number: true, cell: ({ holders }) => holders },
          { title: 'Fetching', number: true, cell: ({ fetching }) => fetching },
          { title: 'Source', cell: ({ sources }) => <span class="long">{sources[0] ?? '–'}</span> },
        ]}
      />
      <Pages {...list} />
    </>
  );
}
