import { z } from 'zod';
import { ShoalError } from '../../core/errors.ts';
import { isHostId } from '../../core/ids.ts';
import { isToken } from '../../transport/address.ts';
import { ROLES, type Role } from './access.ts';
import { type MadeSecret, makeSecret } from './secrets.ts';

/** Ids of hosts and of schedulers. */
const LIKE_AN_ID = /^(?:[0-9a-f]{16}|[0-9a-f]{32})$/;

/** What users log in with. */
export const KINDS = ['nkeys', 'passwords'] as const;
/** One of them. */
export type Kind = (typeof KINDS)[number];

const keySchema = z.union([
  z.strictObject({ nkey: z.string().regex(/^U[A-Z2-7]{55}$/) }),
  z.strictObject({ user: z.string().refine(isToken), password: z.string().regex(/^[A-Za-z0-9_-]{20,200}$/) }),
]);
const userSchema = z.strictObject({
  role: z.enum(ROLES),
  /** What the user is called here, and where it is one alone, its token in subjects. */
  name: z.string().refine(isToken),
  /** Many daemons log in as this one. */
  shared: z.boolean(),
  /** How many keys it has had. */
  made: z.number().int().min(1),
  /** What it may log in with; the newest is the last, and there are two while one takes the place of the other. */
  keys: z.array(keySchema).min(1).max(2),
});
/** The accounts of a swarm, as they are kept. */
export const accountsSchema = z.strictObject({
  swarm: z.string().refine(isToken),
  kind: z.enum(KINDS),
  users: z.array(userSchema),
});

export type Key = z.infer<typeof keySchema>;
export type User = z.infer<typeof userSchema>;
export type Accounts = z.infer<typeof accountsSchema>;

/** The accounts after a change, and the login that came of it. */
export interface Changed {
  readonly accounts: Accounts;
  readonly user: User;
  /** What the user logs in with from now on; it stands nowhere else. Absent where only an old key was dropped. */
  readonly secret?: MadeSecret;
}

/** A user for each role; hosts have one together, or each gets its own by `addUser`. */
export function newAccounts(swarm: string, kind: Kind, hostUsers: 'shared' | 'each'): Changed[] {
  let accounts: Accounts = { swarm, kind, users: [] };
  const made: Changed[] = [];
  for (const role of ROLES) {
    if (role === 'host' && hostUsers === 'each') continue;
    const changed = withUser(accounts, role, role);
    ({ accounts } = changed);
    made.push(changed);
  }
  return made;
}

/** @throws ERR_CONFIG_INVALID where the name is taken or is none */
export function addUser(accounts: Accounts, role: Role, name: string): Changed {
  const taken = accounts.users.some((user) => user.name === name);
  if (taken)
    throw invalid(`there is a user ${name} already: \`shoal auth rotate ${name}\` gives it a new key`);
  if (!isToken(name) || name.length > 64)
    throw invalid('not a name: letters, digits, - and _ only, at most 64');
  if (role === 'host' && name !== 'host' && !isHostId(name)) {
    throw invalid(
      'a user of one host is named by its id, 32 hex digits, as `shoal status` says; leave it out for a new host',
    );
  }
  if (role !== 'host' && (LIKE_AN_ID.test(name) || isRole(name)) && name !== role) {
    throw invalid(`${name} would be taken for another: give another name`);
  }
  return withUser(accounts, role, name);
}

/** A new key for a user; the old one holds until `dropOld`. @throws ERR_CONFIG_INVALID */
export function rotateUser(accounts: Accounts, name: string): Changed {
  const user = userOf(accounts, name);
  const [old] = user.keys;
  if (user.keys.length > 1 || old === undefined) {
    throw invalid(
      `two keys of ${name} hold already: \`shoal auth rotate ${name} --drop-old\` ends the older one`,
    );
  }
  const secret = makeSecret(accounts.kind, loginNameOf(user.name, user.made + 1));
  return changed(accounts, { ...user, made: user.made + 1, keys: [old, secret.key] }, secret);
}

/** Ends all keys of a user but the newest. @throws ERR_CONFIG_INVALID */
export function dropOld(accounts: Accounts, name: string): Changed {
  const user = userOf(accounts, name);
  if (user.keys.length < 2) throw invalid(`${name} has one key alone: there is no old one to drop`);
  return changed(accounts, { ...user, keys: user.keys.slice(-1) });
}

/** The token that stands for a user in subjects; absent where it is shared. */
export function idOf(user: User): string | undefined {
  return user.shared ? undefined : user.name;
}

function withUser(accounts: Accounts, role: Role, name: string): Changed {
  const secret = makeSecret(accounts.kind, loginNameOf(name, 1));
  // The id of a scheduler is new at each start: no user can be for one of them alone.
  const shared = role === 'scheduler' || (role === 'host' && !isHostId(name));
  const user: User = { role, name, shared, made: 1, keys: [secret.key] };
  return { accounts: { ...accounts, users: [...accounts.users, user] }, user, secret };
}

function changed(accounts: Accounts, user: User, secret?: MadeSecret): Changed {
  const users = accounts.users.map((former) => (former.name === user.name ? user : former));
  return { accounts: { ...accounts, users }, user, ...(secret === undefined ? {} : { secret }) };
}

/** A user of NATS has one password: a second one needs a second name. */
function loginNameOf(name: string, made: number): string {
  return made === 1 ? name : `${name}-${made}`;
}

function userOf(accounts: Accounts, name: string): User {
  const user = accounts.users.find((one) => one.name === name);
  if (user !== undefined) return user;
  throw invalid(
    `there is no user ${JSON.stringify(name)}; there are ${accounts.users.map((one) => one.name).join(', ')}`,
  );
}

function isRole(name: string): name is Role {
  return (ROLES as readonly string[]).includes(name);
}

function invalid(message: string): ShoalError {
  return new ShoalError('ERR_CONFIG_INVALID', message);
}
