import { expect, test, vi } from 'vitest';
import type { PeerActor } from '../../../../actors/host/peer/peer.ts';
import type { Delivery } from '../../../../core/delivery.ts';
import { ShoalError } from '../../../../core/errors.ts';
import { BYTES, FROM_ORIGIN, FROM_PARENT, gate, PARENT, PIECE, peerScene } from './scene.ts';

const sum = (counts: Readonly<Record<string, number>>) =>
  Object.values(counts).reduce((all, one) => all + one, 0);

/** What a peer tells of its download, whose time must add up. */
function told(peer: PeerActor): Delivery {
  const { delivery } = peer;
  expect(sum(delivery.time ?? {})).toBeCloseTo(delivery.durationMs, 6);
  expect(sum(delivery.originReasons)).toBe(delivery.bytes.origin);
  return delivery;
}

test('what a host gave after half a second of waiting: its bytes, and both times', async () => {
  const { scheduler, plane, open, until, run } = peerScene();
  const held = gate();
  const { peer } = await open();
  await run(500);
  plane.at.gate = held.opened;
  scheduler.says = FROM_PARENT;
  await until(() => plane.fetch.mock.calls.length > 0);
  const beganMs = told(peer).durationMs;
  expect(told(peer)).toMatchObject({ outcome: 'running', time: { waiting: beganMs } });
  await run(300);
  held.open();
  await until(() => peer.state === 'serving');
  await run(1_000);
  const delivery = told(peer);
  expect(delivery).toMatchObject({
    outcome: 'complete',
    length: BYTES.length,
    bytes: { origin: 0, peers: BYTES.length, local: 0 },
    droppedBytes: 0,
    sources: [{ from: PARENT.hostId, bytes: BYTES.length, unusedBytes: 0, failed: {} }],
  });
  expect(delivery.sources[0]?.tookMs).toBeCloseTo(300, 0);
  expect(delivery.time?.waiting).toBeCloseTo(beganMs, 6);
  expect(delivery.time?.links).toBeCloseTo(300, 0);
});

test('the scheduler is told once, when it is over', async () => {
  const { scheduler, open, until, run } = peerScene();
  scheduler.says = FROM_ORIGIN;
  const { peer } = await open();
  await until(() => peer.state === 'serving');
  await run(3_000);
  const syncs = scheduler.syncs.flatMap(({ delivery, wants }) => (delivery ? [{ delivery, wants }] : []));
  // Once, since it was acknowledged.
  expect(syncs.map(({ wants }) => wants)).toEqual([false]);
  expect(syncs.at(-1)?.delivery).toMatchObject({
    outcome: 'complete',
    bytes: { origin: BYTES.length, peers: 0, local: 0 },
    originReasons: { 'no-holder': BYTES.length },
  });
});

test('the scheduler is told though its answer to the sync before comes only after the end', async () => {
  const { scheduler, store, open, until, run } = peerScene();
  const [sealing, answering] = [gate(), gate()];
  const create = store.create.bind(store);
  vi.spyOn(store, 'create').mockImplementation(async (record) => {
    const stored = await create(record);
    const seal = stored.seal.bind(stored);
    vi.spyOn(stored, 'seal').mockImplementation(async () => {
      await sealing.opened;
      await seal();
    });
    return stored;
  });
  const answer = scheduler.answer.bind(scheduler);
  scheduler.says = FROM_ORIGIN;
  const held = vi.spyOn(scheduler, 'answer').mockImplementation(async (sync) => {
    if (!sync.wants && sync.delivery === undefined) await answering.opened;
    return answer(sync);
  });
  const { peer } = await open();
  // A sync that says all but how it went is out.
  await until(() => held.mock.calls.some(([{ wants }]) => !wants));
  sealing.open();
  await until(() => peer.state === 'serving');
  answering.open();
  await run(3_000);
  expect(scheduler.syncs.at(-1)?.delivery).toMatchObject({ outcome: 'complete' });
});

test('a piece that a host did not give is read from the origin for that reason, and the failure is told', async () => {
  const { scheduler, plane, open, until } = peerScene();
  plane.fetch.mockRejectedValue(new ShoalError('ERR_PEER_MISSING', 'not here'));
  scheduler.says = FROM_PARENT;
  const { peer } = await open();
  await until(() => scheduler.syncs.some(({ failures }) => failures.length > 0));
  scheduler.says = FROM_ORIGIN;
  await until(() => peer.state === 'serving');
  const delivery = told(peer);
  expect(delivery.originReasons).toEqual({ 'no-parent': BYTES.length });
  const parent = delivery.sources.find(({ from: name }) => name === PARENT.hostId);
  expect(parent).toMatchObject({ bytes: 0, failed: { missing: expect.any(Number) } });
});

test('a host that only had no free slot has not refused the piece', async () => {
  const { scheduler, plane, open, until } = peerScene();
  plane.fetch.mockRejectedValue(new ShoalError('ERR_PEER_BUSY', 'no slot'));
  scheduler.says = FROM_PARENT;
  const { peer } = await open();
  await until(() => scheduler.syncs.some(({ failures }) => failures.length > 0));
  scheduler.says = FROM_ORIGIN;
  await until(() => peer.state === 'serving');
  expect(told(peer).originReasons).toEqual({ 'no-holder': BYTES.length });
});

test('why the origin is read is found as the read begins, whatever comes after', async () => {
  const { scheduler, origin, open, until, run } = peerScene();
  const held = gate();
  origin.at.gate = held.opened;
  scheduler.says = FROM_ORIGIN;
  const { peer } = await open();
  await until(() => origin.read.mock.calls.length > 0);
  scheduler.isSilent = true;
  await until(() => peer.state === 'adrift');
  held.open();
  await run(1);
  expect(told(peer).originReasons).toEqual({ 'no-holder': BYTES.length });
});

test('without a swarm, and with credentials, that is the reason', async () => {
  const lone = peerScene({ alone: true });
  const { peer } = await lone.open();
  await lone.until(() => peer.state === 'serving');
  expect(told(peer).originReasons).toEqual({ 'lone-host': BYTES.length });
  const secret = peerScene();
  secret.scheduler.says = { ...FROM_ORIGIN, audience: 'source' };
  const { peer: other } = await secret.open();
  await secret.until(() => other.state === 'serving');
  expect(told(other).originReasons).toEqual({ credentials: BYTES.length });
});

test('what was on disk is the own cache, and pieces that prove wrong are taken off the sum', async () => {
  const { keep, scheduler, open, until } = peerScene();
  const stored = await keep(false);
  await stored.drop([1]);
  scheduler.says = { ...FROM_PARENT, leases: [{ first: 1, count: 1, parent: PARENT.hostId }] };
  const { peer } = await open();
  await until(() => peer.state === 'serving');
  expect(told(peer)).toMatchObject({
    bytes: { origin: 0, peers: PIECE, local: 2 * PIECE },
    droppedBytes: 0,
  });
  // Damaged on disk: it comes a second time.
  await peer.content.drop([0]);
  expect(told(peer).droppedBytes).toBe(PIECE);
});

test('a download that failed, or that nobody wanted any more, tells how far it came and why it ended', async () => {
  const failing = peerScene();
  failing.scheduler.says = FROM_PARENT;
  failing.plane.at.gate = new Promise(() => {});
  const { peer } = await failing.open();
  await failing.until(() => failing.plane.fetch.mock.calls.length > 0);
  const error = { code: 'ERR_DIGEST_MISMATCH' as const, message: 'no source agrees', retryable: false };
  failing.push(peer, { error });
  await failing.until(() => failing.scheduler.syncs.some(({ delivery }) => delivery !== undefined));
  expect(failing.scheduler.syncs.at(-1)?.delivery).toMatchObject({
    outcome: 'failed',
    error: { code: 'ERR_DIGEST_MISMATCH', message: 'no source agrees' },
  });
  const leaving = peerScene();
  leaving.scheduler.says = { ...FROM_ORIGIN, leases: [{ first: 0, count: 1, parent: 'origin' }] };
  const { peer: other } = await leaving.open();
  await leaving.until(() => other.content.has(0));
  await leaving.settle(other.stop());
  expect(leaving.scheduler.syncs.at(-1)?.delivery).toMatchObject({
    outcome: 'left',
    bytes: { origin: PIECE, peers: 0, local: 0 },
  });
});
