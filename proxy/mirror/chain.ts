import { daemonsOf, viaName, withHop } from '../../core/via.ts';
import { OciRefusal } from './oci-error.ts';

/** Daemons in a chain at most: more are an accident. */
const LONGEST_CHAIN = 4;

/** Which daemons a request came through. */
export interface Chain {
  /** Another daemon asks: it holds content for its own swarm, so none of ours may wait for it. */
  readonly fromShoal: boolean;
  /** `Via` for what is asked further on. */
  readonly via: string;
  /** `Via` as it came, for what adds this host itself. */
  readonly cameVia: string | undefined;
}

/** Reads the `Via` of a request. @throws OciRefusal 508 where it came through this host before, or through too many */
export function chainOf(header: string | undefined, hostId: string): Chain {
  const own = viaName(hostId);
  const daemons = daemonsOf(header);
  if (daemons.includes(own)) {
    throw new OciRefusal(
      508,
      'UNAVAILABLE',
      'this request came through here before: the upstream is this mirror',
    );
  }
  if (daemons.length > LONGEST_CHAIN) {
    throw new OciRefusal(508, 'UNAVAILABLE', `this request came through ${daemons.length} daemons`);
  }
  const came = header?.trim() ?? '';
  return {
    fromShoal: daemons.length > 0,
    via: withHop(header, own),
    cameVia: came === '' ? undefined : came,
  };
}
