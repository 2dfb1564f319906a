import { ShoalError } from '../../../core/errors.ts';
import type { PeerContent } from './content.ts';

/** Why content cannot be had without a scheduler. */
export function nobodyHas(content: PeerContent): ShoalError {
  return content.sources.length === 0
    ? new ShoalError(
        'ERR_DIGEST_NO_SOURCE',
        `nobody reachable holds ${content.taskId}, and no source is known`,
      )
    : new ShoalError(
        'ERR_SOURCE_FORBIDDEN',
        'no reachable host holds the content, and the origin may not be read',
      );
}
