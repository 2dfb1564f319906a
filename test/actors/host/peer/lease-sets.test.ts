import { expect, test, vi } from 'vitest';
import { Membership } from '../../../../actors/host/membership.ts';
import type { PeerNews } from '../../../../actors/host/peer/chart.ts';
import { PeerContent } from '../../../../actors/host/peer/content.ts';
import type { LeaseBook } from '../../../../actors/host/peer/lease-book.ts';
import { LeaseSets } from '../../../../actors/host/peer/lease-sets.ts';
import { SyncState } from '../../../../actors/host/peer/sync-state.ts';
import type { HostWorld } from '../../../../actors/host/world.ts';
import { createCounter } from '../../../../core/counter.ts';
import type { TaskId } from '../../../../core/ids.ts';
import type { LeaseSet } from '../../../../core/sync-messages.ts';
import { createMemoryStore } from '../../../../storage/memory-store.ts';

const taskId = `sha256-${'0'.repeat(64)}` as TaskId;

function scene() {
  const content = new PeerContent(createMemoryStore({ clock: { wall: () => 0 } }), taskId, [], '');
  const sync = new SyncState(1, content, createCounter());
  const report = vi.fn<(news: PeerNews) => void>();
  const sets = new LeaseSets({
    world: { hostId: 'a'.repeat(32) } as unknown as HostWorld,
    membership: new Membership(),
    content,
    sync,
    book: { replace: () => 0 } as unknown as LeaseBook,
    chart: { state: 'transferring', ended: false, contradicted: false, report },
  });
  let number = 0;
  const take = (more: Partial<LeaseSet>) => {
    number += 1;
    const set: LeaseSet = {
      epoch: 1,
      number,
      leases: [],
      originAtOnce: 1,
      parents: [],
      claim: 1,
      hashFrom: 0,
      sources: [],
      audience: 'public',
      state: 'distributing',
      ...more,
    };
    return sets.take(set);
  };
  return { content, sync, take, report };
}

test('samples that were read are not read again before a scheduler has heard of them', async () => {
  const { sync, take, report } = scene();
  sync.mismatched([0], []);
  await take({ samples: [0] });
  expect(report).not.toHaveBeenCalled();
  sync.forgetClaim();
  await take({ samples: [0] });
  expect(report).toHaveBeenCalledExactlyOnceWith({ type: 'samples.asked', samples: [0] });
});

test('whether the origin gives ranges is taken from every set that knows it, not only from the first', async () => {
  const { content, take } = scene();
  await content.learn(30, 8);
  await take({ length: 30, pieceLength: 8, ranges: false });
  expect(content.ranges).toBe(false);
  await take({ length: 30, pieceLength: 8 });
  expect(content.ranges).toBe(false);
  await take({ length: 30, pieceLength: 8, ranges: true });
  expect(content.ranges).toBe(true);
});

test('a claim that was dropped takes all that is here with it, but a scheduler just born counts from one', async () => {
  const { content, take, report } = scene();
  await take({ length: 30, pieceLength: 8, claim: 2 });
  await take({ epoch: 2, length: 30, pieceLength: 8, claim: 1 });
  expect(report).not.toHaveBeenCalled();
  await take({ epoch: 2, length: 60, pieceLength: 8, claim: 2 });
  expect(report.mock.calls).toEqual([[{ type: 'content.withdrawn' }]]);
  expect(content.length).toBe(60);
});
