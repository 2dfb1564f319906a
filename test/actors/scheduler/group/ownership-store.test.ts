import { expect, test } from 'vitest';
import { OwnershipStore } from '../../../../actors/scheduler/group/ownership-store.ts';
import { OwnershipView } from '../../../../actors/scheduler/group/ownership-view.ts';
import { schedulerIdFrom } from '../../../../core/ids.ts';
import { heartbeatKey, partitionKey, recordBytes } from '../../../../core/ownership.ts';
import { SimClock } from '../../../../sim/clock.ts';
import { ModelStore } from '../../../../sim/group/store.ts';
import { SimRandom } from '../../../../sim/random.ts';

const [SELF, OTHER] = [1, 2].map((index) => schedulerIdFrom(new Uint8Array(8).fill(index)));
const heartbeat = { keyId: 'key', leaving: false, offers: [] };

test('who read a store that is gone by now believes none of it, however large its revisions were', async () => {
  if (SELF === undefined || OTHER === undefined) throw new Error('no ids');
  const clock = new SimClock();
  const store = new ModelStore(clock, new SimRandom(1));
  const directory = store.directory({ isCut: false, run: (work) => work() });
  const key = heartbeatKey(OTHER);
  const value = recordBytes({ ...heartbeat, keyId: 'other' });
  let begun = false;
  const history = async () => {
    let revision = 0;
    for (let beats = 0; beats < 20; beats += 1) revision = await directory.put(key, value, revision);
    await directory.put(partitionKey(1), recordBytes({ owner: OTHER, epoch: 5 }), 0);
  };
  const own = new OwnershipStore({
    clock,
    self: SELF,
    keyId: 'key',
    directory: {
      ...directory,
      async entries() {
        const entries = await directory.entries();
        if (!begun) store.wipe();
        begun = true;
        return entries;
      },
    },
  });
  const ended = history().then(() => own.enter(heartbeat));
  await clock.run(10_000);
  await ended;
  expect(own.view.heartbeat(OTHER)).toBeUndefined();
  expect(own.view.row(1)).toBeUndefined();
  // What another says in the new store counts, though it has a smaller revision than it once had.
  own.view.take({ key, value, revision: 2 });
  expect(own.view.heartbeat(OTHER)).toMatchObject({ revision: 2 });
});

test('a row of another store counts, though it has the revision of one that was read before', () => {
  if (SELF === undefined || OTHER === undefined) throw new Error('no ids');
  const view = new OwnershipView(new SimClock());
  const row = (owner: typeof SELF) => ({
    key: partitionKey(1),
    value: recordBytes({ owner, epoch: 5 }),
    revision: 4,
  });
  view.take(row(SELF));
  view.replace([row(OTHER)]);
  expect(view.row(1)?.owner).toBe(OTHER);
});

test('whose heartbeat was gone resumes nothing, however many tries it takes to read what others did', async () => {
  if (SELF === undefined) throw new Error('no id');
  const clock = new SimClock();
  const store = new ModelStore(clock, new SimRandom(1));
  const directory = store.directory({ isCut: false, run: (work) => work() });
  let isFailing = false;
  const entries = () => (isFailing ? Promise.reject(new Error('lost')) : directory.entries());
  const own = new OwnershipStore({
    clock,
    self: SELF,
    keyId: 'key',
    directory: { ...directory, entries },
  });
  const lives = async () => {
    const first = await own.enter(heartbeat);
    const again = await own.enter(heartbeat);
    store.wipe();
    isFailing = true;
    const failed = await own.enter(heartbeat).catch(() => 'failed');
    isFailing = false;
    return [first, again, failed, await own.enter(heartbeat), await own.enter(heartbeat)];
  };
  const lived = lives();
  await clock.run(10_000);
  expect(await lived).toEqual([false, true, 'failed', false, true]);
});
