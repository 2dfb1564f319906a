import { useEffect, useState } from 'preact/hooks';

/** Where the user is: `#/tasks/ID?state=active` is the page `tasks`, the id, the query. */
export interface PagePlace {
  readonly page: string;
  readonly id: string;
  readonly query: URLSearchParams;
}

function placeOf(hash: string): PagePlace {
  const [path = '', query = ''] = hash.replace(/^#\/?/, '').split('?');
  const [page = '', id = ''] = path.split('/').map(decodeURIComponent);
  return { page: page || 'swarm', id, query: new URLSearchParams(query) };
}

export function usePlace(): PagePlace {
  const [place, setPlace] = useState(() => placeOf(location.hash));
  useEffect(() => {
    const moved = () => setPlace(placeOf(location.hash));
    addEventListener('hashchange', moved);
    return () => removeEventListener('hashchange', moved);
  }, []);
  return place;
}

/** The address of a page, of one thing on it, with a query. */
export function hrefOf(page: string, id = '', query: Readonly<Record<string, string>> = {}): string {
  const asked = new URLSearchParams(Object.entries(query).filter(([, value]) => value !== ''));
  const path = id === '' ? page : `${page}/${encodeURIComponent(id)}`;
  return `#/${path}${asked.size > 0 ? `?${asked}` : ''}`;
}

/** Goes there. */
export function go(href: string): void {
  location.hash = href;
}
