import type { HostId } from './ids.ts';

/** `seed`: first in line to read origins, keeps a big cache. */
export type HostRole = 'normal' | 'seed';

/** Where a host's data plane listens. */
export interface HostAddress {
  readonly hostId: HostId;
  readonly ip: string;
  readonly port: number;
}
