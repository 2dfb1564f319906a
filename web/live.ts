import { useCallback, useEffect, useRef, useState } from 'preact/hooks';
import { type AskError, ask, followEvents } from './api.ts';
import type { SwarmEvent } from './rows.ts';

/** An answer that is asked for again and again; what was known stays while the next one fails. */
export interface Live<T> {
  readonly data: T | undefined;
  readonly error: AskError | undefined;
  readonly again: () => void;
}

/** Asks a path at once and then every so often; `undefined` asks nothing. */
export function useLive<T>(path: string | undefined, everyMs = 2_000): Live<T> {
  const [state, setState] = useState<{ path?: string | undefined; data?: T; error?: AskError }>({});
  const [turn, setTurn] = useState(0);
  useEffect(() => {
    if (path === undefined) return;
    const gone = new AbortController();
    let timer: ReturnType<typeof setTimeout> | undefined;
    const look = async () => {
      try {
        const data = await ask<T>(path, { signal: gone.signal });
        if (!gone.signal.aborted) setState({ path, data });
      } catch (error) {
        if (gone.signal.aborted) return;
        setState((before) => ({
          ...(before.path === path ? before : { path }),
          error: error as AskError,
        }));
      }
      if (!gone.signal.aborted) timer = setTimeout(look, document.hidden ? 5 * everyMs : everyMs);
    };
    void look();
    return () => {
      gone.abort();
      clearTimeout(timer);
    };
  }, [path, everyMs, turn]);
  const again = useCallback(() => setTurn((before) => before + 1), []);
  const isOfPath = state.path === path;
  return { data: isOfPath ? state.data : undefined, error: isOfPath ? state.error : undefined, again };
}

const MOST_EVENTS = 300;

/** The last events of the swarm, the newest first. @param path undefined follows nothing */
export function useEvents(path: string | undefined): readonly SwarmEvent[] {
  const [events, setEvents] = useState<readonly SwarmEvent[]>([]);
  useFollow<SwarmEvent>(path, (name, event) => {
    if (name === 'event') setEvents((before) => [event, ...before].slice(0, MOST_EVENTS));
  });
  useEffect(() => setEvents([]), [path]);
  return events;
}

/** Hears a stream as long as the page shows it. */
export function useFollow<T>(path: string | undefined, onEvent: (name: string, data: T) => void): void {
  const heard = useRef(onEvent);
  heard.current = onEvent;
  useEffect(() => {
    if (path === undefined) return;
    const gone = new AbortController();
    void followEvents<T>(path, (name, data) => heard.current(name, data), gone.signal);
    return () => gone.abort();
  }, [path]);
}

/** The type of an event without what stands before it: `peer.completed`. */
export function typeOf(event: SwarmEvent): string {
  return event.type.split('.').slice(-2).join('.');
}
