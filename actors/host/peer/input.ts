import type { TaskId } from '../../../core/ids.ts';
import type { Probed } from '../../../core/probed.ts';
import type { OpenBody } from '../../../origins/origin.ts';
import type { OriginAccess } from './origin.ts';

/** What a client's request brings to a peer: where the content is, and as whom to ask there. */
export interface PeerInput extends OriginAccess {
  readonly taskId: TaskId;
  /** The origin was asked to resolve the URL, and its body is open. */
  readonly opened?: { readonly probed: Probed; readonly body: OpenBody | undefined };
}
