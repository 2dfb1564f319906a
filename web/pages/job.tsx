import { useState } from 'preact/hooks';
import type { PageProps } from '../app.tsx';
import { useFollow, useLive } from '../live.ts';
import { Change } from '../parts/change.tsx';
import { Pages, usePaged } from '../parts/paged.tsx';
import { Table } from '../parts/table.tsx';
import { Trouble } from '../parts/trouble.tsx';
import { go, hrefOf } from '../place.ts';
import type { Job, JobHostRow } from '../rows.ts';
import { isAllowed } from '../scopes.ts';
import { bytesText, counted, dateText, shortId } from '../words.ts';

const OVER = ['succeeded', 'failed', 'cancelled'];

/** One job, host by host, as it goes on. */
export function JobPage({ who, place: { id } }: PageProps) {
  const path = `/api/v1/jobs/${encodeURIComponent(id)}`;
  const asked = useLive<Job>(path, 5_000);
  const [told, setTold] = useState<Job>();
  useFollow<Job>(`${path}/watch`, (name, job) => {
    if (name === 'job') setTold(job);
  });
  const hosts = usePaged<{ hosts: readonly JobHostRow[]; next?: string }>(`${path}/hosts`);
  const job = told?.id === asked.data?.id ? (told ?? asked.data) : asked.data;
  return (
    <>
      <h1>Job {shortId(id)}</h1>
      <Trouble error={asked.error} />
      <dl class="facts">
        <dt>what</dt>
        <dd class="long">{job === undefined ? '–' : `${job.kind} ${job.request.what.join(', ')}`}</dd>
        <dt>state</dt>
        <dd aria-live="polite">{job === undefined ? '–' : jobStateText(job)}</dd>
        <dt>progress</dt>
        <dd>
          {job?.progress === undefined
            ? '–'
            : `${bytesText(job.progress.doneBytes)} of ${bytesText(job.progress.length)}: ${bytesText(job.progress.bytes.origin)} from the origin, ${bytesText(job.progress.bytes.peers)} from hosts`}
        </dd>
        <dt>made</dt>
        <dd>{job === undefined ? '–' : `${dateText(job.createdAtMs)} by ${job.by}`}</dd>
        {job?.error && (
          <>
            <dt>error</dt>
            <dd>
              {job.error.message} ({job.error.code})
            </dd>
          </>
        )}
      </dl>
      {job !== undefined && isAllowed(who, ['jobs']) && (
        <p class="actions">
          {!OVER.includes(job.state) && (
            <Change
              label="cancel"
              sure="What runs stops."
              path={`${path}/cancel`}
              method="POST"
              done={() => asked.again()}
            />
          )}
          {OVER.includes(job.state) && (
            <Change
              label="do it again"
              path="/api/v1/jobs"
              method="POST"
              body={job.request}
              done={(answer) => go(hrefOf('jobs', (answer as { job: Job }).job.id))}
            />
          )}
        </p>
      )}
      <h2>Hosts</h2>
      <Table
        caption="Hosts of the job"
        rows={hosts.data?.hosts}
        keyOf={({ hostId }) => hostId}
        empty="no host yet"
        columns={[
          { title: 'Host', cell: ({ hostId }) => <a href={hrefOf('hosts', hostId)}>{shortId(hostId)}</a> },
          { title: 'State', cell: ({ state }) => state },
          { title: 'There', number: true, cell: ({ doneBytes }) => bytesText(doneBytes) },
          { title: 'From origin', number: true, cell: ({ bytes }) => bytesText(bytes?.origin) },
          { title: 'From hosts', number: true, cell: ({ bytes }) => bytesText(bytes?.peers) },
          { title: 'Why not', cell: ({ error }) => error?.message ?? '' },
        ]}
      />
      <Pages {...hosts} />
    </>
  );
}

/** `running, 3 of 4 hosts` */
export function jobStateText({ state, progress }: Job): string {
  if (progress === undefined || progress.hosts === 0) return state;
  const failed = progress.failed > 0 ? `, ${progress.failed} failed` : '';
  return `${state}, ${progress.succeeded} of ${counted(progress.hosts, 'host')}${failed}`;
}
