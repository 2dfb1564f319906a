import { expect, test } from 'vitest';
import { SimClock } from '../../sim/clock.ts';
import { SimNetwork, SimNode } from '../../sim/network.ts';

function ground() {
  const clock = new SimClock();
  const network = new SimNetwork(clock, 1);
  const [child, parent] = [new SimNode('child', 1_000), new SimNode('parent', 1_000)];
  return { clock, network, child, parent };
}

test('a link that is cut one way loses what one end asks, and carries what the other does', () => {
  const { network, child, parent } = ground();
  network.sever('child', 'parent', true);
  expect(network.request(child, parent)).toBe('lost');
  expect(network.request(parent, child)).toBe('arrives');
  network.sever('child', 'parent', false);
  expect(network.request(child, parent)).toBe('arrives');
});

test('a stream stalls when the link that it was asked over is cut, and goes on while the other way is', async () => {
  for (const [asks, isBroken] of [
    ['child', true],
    ['parent', false],
  ] as const) {
    const { clock, network, child, parent } = ground();
    const chunks = Array.from({ length: 5 }, () => new Uint8Array(1_000));
    let ended: unknown;
    const options = { signal: new AbortController().signal, idleMs: 5_000, onClose: () => {} };
    const pull = () => Promise.resolve(chunks.shift());
    void network.stream({ from: parent, to: child, pull, sink: () => {}, ...options }).then((fault) => {
      ended = fault ?? 'whole';
    });
    clock.after(1_500, () => network.sever(asks, asks === 'child' ? 'parent' : 'child', true));
    await clock.run(20_000);
    expect(ended).toBe(isBroken ? 'stalled' : 'whole');
  }
});
