import { swarmPrefix } from '../../transport/address.ts';
import { ACCESS, mayAnswer, type Role, type SubjectAccess } from './access.ts';

/** What one NATS user may do; the server then proves the identity in every subject. */
export interface Permissions {
  readonly publish: readonly string[];
  readonly subscribe: readonly string[];
  /** May answer what it was asked, wherever the asker wants the answer. */
  readonly answers: boolean;
}

/** Whom permissions are for; `id` is its token in subjects, absent for a user that many share. */
export interface Grantee {
  readonly role: Role;
  readonly id?: string | undefined;
}

/** The permissions of a user of a swarm. @throws ERR_CONFIG_INVALID (the swarm's name) */
export function permissionsOf(swarm: string, grantee: Grantee): Permissions {
  swarmPrefix(swarm);
  const all = (way: 'publish' | 'subscribe') =>
    ACCESS.flatMap((row) => subjectOf(row, way, swarm, grantee) ?? []);
  return { publish: all('publish'), subscribe: all('subscribe'), answers: mayAnswer(grantee.role) };
}

/** The subject of a row as a user may use it; undefined where it may not. */
export function subjectOf(
  row: SubjectAccess,
  way: 'publish' | 'subscribe',
  swarm: string,
  { role, id = '*' }: Grantee,
): string | undefined {
  const extent = row[way][role];
  if (extent === undefined) return undefined;
  return row.subject
    .replace('<swarm>', swarm)
    .replace(/\{(\w+)\}/g, (_variable, name: string) => (name === extent ? id : '*'));
}
