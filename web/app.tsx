import type { FunctionComponent } from 'preact';
import { useEffect, useRef, useState } from 'preact/hooks';
import { ask, savedToken, saveToken } from './api.ts';
import { Login } from './login.tsx';
import { EventsPage } from './pages/events.tsx';
import { HostsPage } from './pages/hosts.tsx';
import { ImagesPage } from './pages/images.tsx';
import { JobsPage } from './pages/jobs.tsx';
import { SchedulersPage } from './pages/schedulers.tsx';
import { SettingsPage } from './pages/settings.tsx';
import { SwarmPage } from './pages/swarm.tsx';
import { TasksPage } from './pages/tasks.tsx';
import { hrefOf, type PagePlace, usePlace } from './place.ts';
import type { WhoAmI } from './rows.ts';
import { isAllowed } from './scopes.ts';

/** What a page is given: who looks at it, and where he is. */
export interface PageProps {
  readonly who: WhoAmI;
  readonly place: PagePlace;
}

const PAGES: readonly (readonly [
  name: string,
  title: string,
  page: FunctionComponent<PageProps>,
  scopes: readonly string[],
])[] = [
  ['swarm', 'Swarm', SwarmPage, ['read']],
  ['tasks', 'Tasks', TasksPage, ['read']],
  ['images', 'Images', ImagesPage, ['read']],
  ['hosts', 'Hosts', HostsPage, ['read']],
  ['jobs', 'Jobs', JobsPage, ['read', 'jobs']],
  ['schedulers', 'Schedulers', SchedulersPage, ['read']],
  ['events', 'Events', EventsPage, ['read']],
  ['settings', 'Settings', SettingsPage, []],
];

/** The whole console: a login, then the pages that this token may see. */
export function App() {
  const place = usePlace();
  const [who, setWho] = useState<WhoAmI | 'unknown' | undefined>(savedToken() === '' ? undefined : 'unknown');
  const main = useRef<HTMLElement>(null);
  useEffect(() => {
    if (who !== 'unknown') return;
    ask<WhoAmI>('/api/v1/whoami').then(setWho, () => setWho(undefined));
  }, [who]);
  const offered =
    who === undefined || who === 'unknown' ? [] : PAGES.filter(([, , , scopes]) => isAllowed(who, scopes));
  const shown = offered.find(([name]) => name === place.page) ?? offered[0];
  const title = shown?.[1];
  useEffect(() => {
    document.title = title === undefined ? 'Shoal' : `${title} – Shoal`;
  }, [title]);
  if (who === undefined) return <Login onLogin={setWho} />;
  if (who === 'unknown' || shown === undefined) return <main class="login">asking…</main>;
  const [name, , Page] = shown;
  return (
    <>
      <button type="button" class="skip" onClick={() => main.current?.focus()}>
        to the content
      </button>
      <header>
        <strong>Shoal</strong>
        <nav aria-label="pages">
          {offered.map(([page, text]) => (
            <a key={page} href={hrefOf(page)} aria-current={page === name ? 'page' : undefined}>
              {text}
            </a>
          ))}
        </nav>
        <button
          type="button"
          onClick={() => {
            saveToken('');
            setWho(undefined);
          }}
        >
          log out {who.name}
        </button>
      </header>
      <main id="main" ref={main} tabIndex={-1}>
        <Page key={name} who={who} place={place} />
      </main>
    </>
  );
}
