import { isToken } from './address.ts';

/** What a client of NATS is to a swarm; a `client` is a command, or whatever else acts for a person. */
export type SenderKind = 'host' | 'scheduler' | 'client';

/** Who a client of NATS is: its name is the token that stands for it in subjects. */
export interface Sender {
  readonly kind: SenderKind;
  readonly name: string;
}

const ROOT = '_INBOX_SHOAL';
const KINDS: ReadonlySet<string> = new Set<SenderKind>(['host', 'scheduler', 'client']);

/**
 * Prefix of every reply subject of a client. The kind stands in it so that a login shared by all hosts, or by all
 * schedulers, need not hear what others are answered.
 */
export function inboxPrefix({ kind, name }: Sender): string {
  return `${ROOT}.${kind}.${name}`;
}

/** Whether a reply subject lies below the inbox of that sender, whatever its kind: no server checks that. */
export function isInboxOf(sender: string, reply: string): boolean {
  const [root, kind, name, ...rest] = reply.split('.');
  if (root !== ROOT || kind === undefined || !KINDS.has(kind) || name !== sender) return false;
  return isToken(name) && rest.length > 0 && rest.every(isToken);
}
