/** A transfer that crosses two links, as indexes into the capacities. */
export interface Shared {
  readonly up: number;
  readonly down: number;
  readonly weight: number;
  readonly startsMs: number;
  rate: number;
}

/** Sets each transfer's rate by weighted max-min fairness: the most crowded link is filled first, and so on. */
export function shareFairly(transfers: readonly Shared[], capacity: Float64Array, nowMs: number): void {
  const left = capacity.slice();
  const weights = new Float64Array(capacity.length);
  let open: Shared[] = [];
  for (const transfer of transfers) {
    transfer.rate = 0;
    if (transfer.startsMs > nowMs) continue;
    open.push(transfer);
    weights[transfer.up] = (weights[transfer.up] ?? 0) + transfer.weight;
    weights[transfer.down] = (weights[transfer.down] ?? 0) + transfer.weight;
  }
  while (open.length > 0) {
    let level = Number.POSITIVE_INFINITY;
    let tight = -1;
    for (let link = 0; link < left.length; link += 1) {
      const weight = weights[link] ?? 0;
      if (weight < 1e-9) continue;
      const each = Math.max(0, left[link] ?? 0) / weight;
      if (each < level) {
        level = each;
        tight = link;
      }
    }
    const rest: Shared[] = [];
    for (const transfer of open) {
      if (transfer.up !== tight && transfer.down !== tight) {
        rest.push(transfer);
        continue;
      }
      transfer.rate = Math.max(1, level * transfer.weight);
      for (const link of [transfer.up, transfer.down]) {
        left[link] = (left[link] ?? 0) - transfer.rate;
        weights[link] = (weights[link] ?? 0) - transfer.weight;
      }
    }
    if (rest.length === open.length) break;
    open = rest;
  }
}
