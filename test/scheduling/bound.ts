/**
 * The fewest slots in which one source gives `pieces` equal pieces to `hosts` hosts over equal links, each sending
 * one piece and receiving one a slot: pieces + ⌊log2 hosts⌋.
 * @see Mundinger, Weber, Weiss: Optimal scheduling of peer-to-peer file dissemination, 2008, theorem 1
 */
export function boundSlots(pieces: number, hosts: number): number {
  if (pieces <= 0 || hosts <= 0) return 0;
  return pieces + Math.floor(Math.log2(hosts));
}

/** Seconds of that bound for `lengthBytes` over links of `linkBytesPerSec` each way. */
export function boundSeconds(content: {
  readonly lengthBytes: number;
  readonly pieces: number;
  readonly hosts: number;
  readonly linkBytesPerSec: number;
}): number {
  if (content.pieces <= 0) return 0;
  const slotSeconds = content.lengthBytes / content.pieces / content.linkBytesPerSec;
  return boundSlots(content.pieces, content.hosts) * slotSeconds;
}
