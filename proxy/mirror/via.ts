import { Refusal } from './oci-error.ts';

/** Daemons in a chain at most: more are an accident. */
const LONGEST_CHAIN = 4;

/** Which daemons a request came through. */
export interface Chain {
  /** Whether another daemon asks: it holds content for its own swarm, so none of ours may wait for it. */
  readonly fromShoal: boolean;
  /** `Via` for what is asked further on. */
  readonly via: string;
  /** `Via` as it came. */
  readonly cameVia: string | undefined;
}

/** Reads the `Via` of a request. @throws Refusal 508 where it came through this host before, or through too many */
export function chainOf(header: string | undefined, hostId: string): Chain {
  const own = `1.1 shoal-${hostId}`;
  if (header === undefined || header.trim() === '') return { fromShoal: false, via: own, cameVia: undefined };
  const hops = header.split(',').map((hop) => hop.trim());
  const daemons = hops.filter((hop) => /^\S+\s+shoal-[0-9a-f]{32}(?:\s|$)/.test(hop));
  if (daemons.some((hop) => hop.includes(`shoal-${hostId}`))) {
    throw new Refusal(
      508,
      'UNAVAILABLE',
      'this request came through here before: the upstream is this mirror',
    );
  }
  if (daemons.length > LONGEST_CHAIN) {
    throw new Refusal(508, 'UNAVAILABLE', `this request came through ${daemons.length} daemons`);
  }
  return { fromShoal: daemons.length > 0, via: `${header.trim()}, ${own}`, cameVia: header.trim() };
}
