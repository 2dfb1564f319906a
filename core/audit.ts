import { z } from 'zod';
import { uint } from './message-fields.ts';

/** What can be changed through the HTTP API, and the tokens themselves. */
export const AUDITED = ['task.remove', 'job.create', 'job.cancel', 'token.create', 'token.revoke'] as const;
export type Audited = (typeof AUDITED)[number];

/** That somebody changed something, or tried to. Neither credentials nor bodies of requests are in it. */
export const auditSchema = z.object({
  /** Wall-clock ms. */
  atMs: uint,
  /** Name of the token, or of the login at NATS; `anonymous` where none was asked for. */
  who: z.string().max(200).describe('name of the token, or of the login at NATS'),
  tokenId: z.string().max(64).optional().describe('id of the token'),
  from: z.string().max(64).optional().describe('address of the client'),
  action: z.enum(AUDITED),
  target: z.string().max(200).describe('a task, a job or a token, where it is known'),
  outcome: z.string().max(64).describe('`done`, or the code of an error'),
});
export type AuditRecord = z.infer<typeof auditSchema>;
