import { createHash } from 'node:crypto';
import { credentialOf } from '../../core/claim.ts';
import type { ResourceId } from '../../core/ids.ts';
import { RecentMap } from '../../core/recent-map.ts';
import type { ResolveReply, ResolveRequest } from '../../core/resolve-messages.ts';
import type { HostWorld } from '../host/world.ts';
import { Resource } from '../resource.ts';

const MOST = 2_000;

/**
 * What URLs point to for clients with credentials, and where there is no swarm: found as in a swarm of this host alone,
 * apart for each credential.
 */
export class OwnResources {
  readonly #world: Pick<HostWorld, 'hostId' | 'clock'>;
  readonly #resources = new RecentMap<string, Resource>(MOST);

  constructor(world: Pick<HostWorld, 'hostId' | 'clock'>) {
    this.#world = world;
  }

  resolve(
    resourceId: ResourceId,
    headers: Readonly<Record<string, string>>,
    request: ResolveRequest,
  ): ResolveReply {
    const { clock, hostId } = this.#world;
    const name = nameOf(resourceId, headers);
    const resource = this.#resources.get(name) ?? new Resource();
    this.#resources.set(name, resource);
    return resource.resolve(hostId, request, clock.now(), clock.wall());
  }
}

/** Credentials are kept hashed. */
function nameOf(resourceId: ResourceId, headers: Readonly<Record<string, string>>): string {
  const credential = credentialOf(headers) ?? '';
  return createHash('sha256').update(`${resourceId}\n${credential}`).digest('base64');
}
