import { useState } from 'preact/hooks';
import { type AskError, ask } from '../api.ts';
import type { PageProps } from '../app.tsx';
import { Pages, usePaged } from '../parts/paged.tsx';
import { Table } from '../parts/table.tsx';
import { Trouble } from '../parts/trouble.tsx';
import { go, hrefOf } from '../place.ts';
import type { Job } from '../rows.ts';
import { isAllowed } from '../scopes.ts';
import { dateText, shortId } from '../words.ts';
import { JobPage, jobStateText } from './job.tsx';

/** Preheats, pins, evictions and schedules, or one of them. */
export function JobsPage(props: PageProps) {
  return props.place.id === '' ? <JobList {...props} /> : <JobPage {...props} />;
}

function JobList({ who }: PageProps) {
  const list = usePaged<{ jobs: readonly Job[]; next?: string }>('/api/v1/jobs');
  return (
    <>
      <h1>Jobs</h1>
      {isAllowed(who, ['jobs']) && <NewJob />}
      <Trouble error={list.error} />
      <Table
        caption="Jobs"
        rows={list.data?.jobs}
        keyOf={({ id }) => id}
        empty="no job yet"
        columns={[
          { title: 'Job', cell: ({ id }) => <a href={hrefOf('jobs', id)}>{shortId(id)}</a> },
          {
            title: 'Kind',
            cell: ({ kind, request }) => (request.schedule ? `${kind}, ${request.schedule.cron}` : kind),
          },
          { title: 'State', cell: jobStateText },
          { title: 'What', cell: ({ request }) => <span class="long">{request.what.join(', ')}</span> },
          { title: 'By', cell: ({ by }) => by },
          { title: 'Made', cell: ({ createdAtMs }) => dateText(createdAtMs) },
        ]}
      />
      <Pages {...list} />
    </>
  );
}

function NewJob() {
  const [error, setError] = useState<AskError>();
  const create = async (event: SubmitEvent) => {
    event.preventDefault();
    const form = new FormData(event.currentTarget as HTMLFormElement);
    const text = (name: string) => String(form.get(name) ?? '').trim();
    const body = {
      kind: text('kind'),
      what: text('what').split(/\s+/).filter(Boolean),
      targets: { role: text('role'), ...(text('zone') !== '' && { zone: text('zone') }) },
      ...(text('platform') !== '' && { platform: text('platform') }),
      ...(text('kind') === 'pin' && { pin: { copies: Number(text('copies')) } }),
      ...(text('cron') !== '' && text('kind') !== 'pin' && { schedule: { cron: text('cron') } }),
    };
    try {
      const { job } = await ask<{ job: Job }>('/api/v1/jobs', { method: 'POST', body });
      go(hrefOf('jobs', job.id));
    } catch (failed) {
      setError(failed as AskError);
    }
  };
  return (
    <details>
      <summary>New job</summary>
      <form class="search" onSubmit={create}>
        <label>
          Kind
          <select name="kind">
            <option>preheat</option>
            <option>pin</option>
            <option>evict</option>
          </select>
        </label>
        <label class="wide">
          Images, URLs or digests, one a line
          <textarea name="what" rows={2} required />
        </label>
        <label>
          Hosts
          <select name="role">
            <option value="any">all</option>
            <option value="seed">seeds</option>
            <option value="normal">all but seeds</option>
          </select>
        </label>
        <label>
          Zone
          <input name="zone" />
        </label>
        <label>
          Platform of images
          <input name="platform" placeholder="linux/amd64" />
        </label>
        <label>
          Copies of a pin
          <input name="copies" type="number" min="1" max="1000" defaultValue="2" />
        </label>
        <label>
          Again and again (cron)
          <input name="cron" placeholder="0 3 * * *" />
        </label>
        <button type="submit">Create</button>
      </form>
      <Trouble error={error} />
    </details>
  );
}
