import { readFileSync } from 'node:fs';

/** How the descriptors of a host's process are shared out. */
export interface DescriptorShares {
  /** Tasks whose two files are kept open. */
  readonly tasks: number;
  /** Connections to parents, and of children. */
  readonly down: number;
  readonly up: number;
  /** Connections of clients of the proxy port, each of which may make one more to an origin. */
  readonly clients: number;
}

/** Shares where there are enough descriptors. */
const MOST: DescriptorShares = { tasks: 64, down: 256, up: 512, clients: 2048 };
/** One in so many of the descriptors; together with an origin for each client four in five, the rest is for downloads. */
const ONE_IN: DescriptorShares = { tasks: 16, down: 6, up: 6, clients: 6 };
const LEAST = 8;

/** Descriptors that this process may have; undefined where the system does not say. */
export function descriptorLimit(limitsFile = '/proc/self/limits'): number | undefined {
  try {
    const text = readFileSync(limitsFile, 'utf8');
    const soft = /^Max open files\s+(\d+|unlimited)/m.exec(text)?.[1];
    return soft === undefined || soft === 'unlimited' ? undefined : Number(soft);
  } catch {
    return undefined;
  }
}

/** Shares out that many descriptors. */
export function descriptorShares(limit: number | undefined): DescriptorShares {
  if (limit === undefined) return MOST;
  const share = (name: keyof DescriptorShares) =>
    Math.min(MOST[name], Math.max(LEAST, Math.floor(limit / ONE_IN[name])));
  return { tasks: share('tasks'), down: share('down'), up: share('up'), clients: share('clients') };
}
