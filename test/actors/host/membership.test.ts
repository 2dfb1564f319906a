import fc from 'fast-check';
import { expect, test } from 'vitest';
import { Membership } from '../../../actors/host/membership.ts';
import type { HostId } from '../../../core/ids.ts';

const host = (index: number) => index.toString(16).padStart(32, '0') as HostId;
const address = (index: number, ip = '10.0.0.1') => ({ hostId: host(index), ip, port: 7400 });

test('an epoch older than one accepted is refused, in each partition by itself', () => {
  fc.assert(
    fc.property(
      fc.array(fc.record({ partition: fc.nat({ max: 3 }), epoch: fc.nat({ max: 20 }) })),
      (words) => {
        const membership = new Membership();
        const largest = new Map<number, number>();
        for (const { partition, epoch } of words) {
          const known = largest.get(partition) ?? 0;
          expect(membership.acceptEpoch(partition, epoch)).toBe(epoch >= known);
          largest.set(partition, Math.max(known, epoch));
          expect(membership.epoch(partition)).toBe(largest.get(partition));
        }
      },
    ),
  );
});

test('the address book is what a scheduler said last', () => {
  const membership = new Membership();
  expect(membership.addressBook).toEqual([]);
  membership.know([address(1), address(2)]);
  membership.know([address(2, '10.0.0.2'), address(3)]);
  expect(membership.addressBook).toEqual([address(2, '10.0.0.2'), address(3)]);
});
