import { useLive } from '../live.ts';
import { Table } from '../parts/table.tsx';
import { Trouble } from '../parts/trouble.tsx';
import type { PartitionRow, Scheduler } from '../rows.ts';
import { shortId, spanText } from '../words.ts';

/** Who schedules, and which partitions each serves. */
export function SchedulersPage() {
  const list = useLive<{ schedulers: readonly Scheduler[] }>('/api/v1/schedulers?limit=500');
  const partitions = useLive<{ partitions: readonly PartitionRow[] }>('/api/v1/partitions?limit=500');
  return (
    <>
      <h1>Schedulers</h1>
      <Trouble error={list.error ?? partitions.error} />
      <Table
        caption="Schedulers"
        rows={list.data?.schedulers}
        keyOf={({ schedulerId }) => schedulerId}
        empty="no scheduler answers"
        columns={[
          { title: 'Scheduler', cell: ({ schedulerId }) => shortId(schedulerId) },
          { title: 'Machine', cell: ({ name }) => name },
          {
            title: 'State',
            cell: ({ leaving, guided }) => (leaving ? 'leaving' : guided ? 'serving' : 'no store'),
          },
          { title: 'Partitions', number: true, cell: ({ partitions: all }) => all.length },
          {
            title: 'Epochs',
            cell: ({ epochLeast, epoch }) => (epochLeast === epoch ? epoch : `${epochLeast} to ${epoch}`),
          },
          { title: 'Tasks', number: true, cell: ({ tasks }) => tasks },
          { title: 'Hosts', number: true, cell: ({ hosts }) => hosts },
          { title: 'Started', number: true, cell: ({ sinceMs }) => `${spanText(Date.now() - sinceMs)} ago` },
          { title: 'Version', cell: ({ version }) => version },
        ]}
      />
      <h2>Partitions</h2>
      <Table
        caption="Partitions"
        rows={partitions.data?.partitions}
        keyOf={({ partition }) => String(partition)}
        empty="none"
        columns={[
          { title: 'Partition', number: true, cell: ({ partition }) => partition },
          {
            title: 'Served by',
            cell: ({ schedulers }) =>
              schedulers.length === 0 ? <b class="bad">nobody</b> : schedulers.map(shortId).join(', '),
          },
        ]}
      />
    </>
  );
}
