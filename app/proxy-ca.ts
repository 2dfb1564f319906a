import { hostname } from 'node:os';
import { type MadeCa, makeCa } from '../proxy/forward/make-ca.ts';

export type { MadeCa };

/** Whoever looks after a fleet would forget to renew one that lasts a year. */
const DAYS = 3_650;

/** Makes the CA of this host's forward proxy in a folder. @throws ERR_OUTPUT */
export function makeProxyCa(dir: string): Promise<MadeCa> {
  // A common name holds 64 characters at most.
  const name = `Shoal proxy CA of ${hostname()}`.slice(0, 64);
  return makeCa(dir, { name, days: DAYS });
}
