/** FNV-1a over a text, 32 bits, stirred so that similar texts differ in every bit. @see MurmurHash3 fmix32 */
export function hash32(text: string): number {
  let hash = 0x811c9dc5;
  for (let index = 0; index < text.length; index += 1) {
    hash = Math.imul(hash ^ text.charCodeAt(index), 0x01000193);
  }
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b);
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35);
  return (hash ^ (hash >>> 16)) >>> 0;
}

/**
 * How many of the others come before a node for a key (highest random weight). All who know the same nodes agree on it
 * without a word: the node with rank 0 is responsible, that with rank 1 where it does not do its part.
 */
export function rendezvousRank<N extends string>(key: string, node: N, others: Iterable<N>): number {
  const own = hash32(`${node}/${key}`);
  let rank = 0;
  for (const other of others) {
    const weight = hash32(`${other}/${key}`);
    if (weight > own || (weight === own && other < node)) rank += 1;
  }
  return rank;
}

/** Who is responsible for a key, agreed upon without a word by all who know the same nodes (highest random weight). */
export function rendezvous<N extends string>(key: string, nodes: Iterable<N>): N | undefined {
  let best: N | undefined;
  let bestWeight = -1;
  for (const node of nodes) {
    const weight = hash32(`${node}/${key}`);
    if (weight > bestWeight || (weight === bestWeight && best !== undefined && node < best)) {
      best = node;
      bestWeight = weight;
    }
  }
  return best;
}
