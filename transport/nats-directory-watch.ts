import type { KvWatchEntry } from '@nats-io/kv';
import type { QueuedIterator } from '@nats-io/transport-node';
import type { Logger } from '../core/logger.ts';
import type { BusState, Subscription } from './bus.ts';

/** A change of a directory; without value the key was removed. */
export interface DirectoryChange {
  readonly key: string;
  readonly value: Uint8Array | undefined;
  readonly revision: number;
}

interface Watching {
  /** Every entry there is, markers of removed ones too, and every change after; `empty`: there is none yet. */
  readonly follow: () => Promise<{ changes: QueuedIterator<KvWatchEntry>; empty: boolean }>;
  readonly onState: (listener: (state: BusState) => void) => Subscription;
  readonly listener: (change: DirectoryChange) => void;
  readonly logger: Logger;
}

const RETRY_MS = 1_000;
/** A bucket that somebody removed and made again on a living connection is noticed within this time. */
const REFRESH_MS = 60_000;

/**
 * Tells every entry there is and every change, across lost connections and a lost store: each round begins with all
 * entries, and only what differs from what was told is told again.
 */
export function watchDirectory({ follow, onState, listener, logger }: Watching): Subscription {
  const told = new Map<string, number>();
  let round = 0;
  let timer: NodeJS.Timeout | undefined;
  let current: QueuedIterator<KvWatchEntry> | undefined;

  const take = (key: string, value: Uint8Array | undefined, revision: number) => {
    if (value === undefined ? !told.has(key) : told.get(key) === revision) return;
    if (value === undefined) told.delete(key);
    else told.set(key, revision);
    try {
      listener({ key, value, revision });
    } catch (error) {
      logger.error({ err: error }, 'a listener of a directory failed');
    }
  };
  const end = () => {
    round += 1;
    clearTimeout(timer);
    current?.stop();
  };
  const begin = () => {
    end();
    const mine = round;
    run(mine)
      .catch((error) => logger.debug({ err: error }, 'a directory cannot be watched, trying on'))
      .finally(() => {
        if (mine !== round) return;
        clearTimeout(timer);
        timer = setTimeout(begin, RETRY_MS);
      });
  };
  const run = async (mine: number) => {
    const { changes, empty } = await follow();
    if (mine !== round) return changes.stop();
    current = changes;
    timer = setTimeout(begin, REFRESH_MS);
    const present = new Set<string>();
    let all = empty;
    const forgetAbsent = () => {
      for (const [key, revision] of [...told]) if (!present.has(key)) take(key, undefined, revision);
    };
    if (all) forgetAbsent();
    for await (const { key, value, revision, operation, delta } of changes) {
      if (mine !== round) return;
      if (operation === 'PUT') present.add(key);
      take(key, operation === 'PUT' ? value : undefined, revision);
      if (all || delta !== 0) continue;
      all = true;
      forgetAbsent();
    }
  };

  const states = onState((state) => {
    if (state === 'connected') begin();
  });
  begin();
  return {
    close: () => {
      states.close();
      end();
    },
  };
}
