import type { PageProps } from '../app.tsx';
import { Pages, usePaged } from '../parts/paged.tsx';
import { Table } from '../parts/table.tsx';
import { Trouble } from '../parts/trouble.tsx';
import { go, hrefOf } from '../place.ts';
import type { ImageHosts } from '../rows.ts';
import { bytesText, counted, shortId } from '../words.ts';

/** Which hosts hold an image, and how much of it. */
export function ImagesPage({ place: { query } }: PageProps) {
  const image = query.get('image') ?? '';
  const path = image === '' ? undefined : `/api/v1/images/hosts?image=${encodeURIComponent(image)}`;
  const held = usePaged<ImageHosts & { next?: string }>(path);
  const searched = (event: SubmitEvent) => {
    event.preventDefault();
    const form = new FormData(event.currentTarget as HTMLFormElement);
    go(hrefOf('images', '', { image: String(form.get('image') ?? '').trim() }));
  };
  const { data } = held;
  return (
    <>
      <h1>Images</h1>
      <form class="search" onSubmit={searched}>
        <label>
          Image, as registry.example.org/app:1.0
          <input name="image" type="search" required defaultValue={image} />
        </label>
        <button type="submit">Who holds it?</button>
      </form>
      <Trouble error={held.error} />
      {path !== undefined && (
        <>
          {data && (
            <p>
              {data.image}: {counted(data.parts, 'part')} (manifests, configurations, layers),{' '}
              {bytesText(data.bytes)}. <a href={hrefOf('tasks', '', { search: image })}>its tasks</a>
            </p>
          )}
          <Table
            caption="Hosts that hold the image"
            rows={data?.hosts}
            keyOf={({ hostId }) => hostId}
            empty="no host holds any of it"
            columns={[
              {
                title: 'Host',
                cell: ({ hostId }) => <a href={hrefOf('hosts', hostId)}>{shortId(hostId)}</a>,
              },
              { title: 'Whole', cell: ({ complete }) => (complete ? 'yes' : 'no') },
              { title: 'Parts', number: true, cell: ({ parts }) => `${parts} of ${data?.parts}` },
              { title: 'Bytes', number: true, cell: ({ bytes }) => bytesText(bytes) },
            ]}
          />
          <Pages {...held} />
        </>
      )}
    </>
  );
}
