import { isTaskId } from '../../core/ids.ts';
import type { Subscription } from '../../transport/bus.ts';
import { SUBJECTS } from '../../transport/subjects.ts';
import type { Peers } from './peers.ts';
import type { HostWorld } from './world.ts';

/** Answers how tasks came to this host. */
export function serveExplain({ bus, hostId }: HostWorld, peers: Peers): Subscription {
  return bus.serve(SUBJECTS.explain, {}, (asked, { taskId }) => {
    const isAsked = asked.hostId === undefined || asked.hostId === hostId;
    return { hostId, delivery: isAsked && isTaskId(taskId) ? peers.delivery(taskId) : undefined };
  });
}
