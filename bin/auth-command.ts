import { resolve } from 'node:path';
import { ROLES, type Role } from '../app/auth/access.ts';
import {
  type Accounts,
  addUser,
  type Changed,
  dropOld,
  newAccounts,
  rotateUser,
} from '../app/auth/accounts.ts';
import { configFile, hasAccounts, loginFile, readAccounts, writeAccounts } from '../app/auth/folder.ts';
import { loadSchedulerConfig } from '../app/config.ts';
import { realRandom } from '../app/real-world.ts';
import { ShoalError } from '../core/errors.ts';
import { hostIdFrom } from '../core/ids.ts';
import { print } from './print.ts';
import { configInput } from './settings-flags.ts';
import { type AuthWritten, authText } from './views/auth.ts';

type Options = Readonly<Record<string, unknown>>;

/** Runs `auth init`. @throws ERR_CONFIG_CONFLICT where there are accounts, ERR_OUTPUT */
export async function runAuthInit(options: Options): Promise<void> {
  const { swarm } = loadSchedulerConfig(configInput(options));
  const dir = placeOf(options);
  if (hasAccounts(dir)) {
    if (options['ifMissing'] !== true) {
      throw new ShoalError(
        'ERR_CONFIG_CONFLICT',
        `there are accounts in ${dir} already: \`shoal auth add\` and \`shoal auth rotate\` change them`,
      );
    }
    return show(options, { action: 'kept', ...writtenOf(dir, readAccounts(dir), []) });
  }
  const kind = options['with'] === 'passwords' ? 'passwords' : 'nkeys';
  const made = newAccounts(swarm, kind, options['hostUsers'] === 'each' ? 'each' : 'shared');
  await write(options, 'made', made);
}

/** Runs `auth add`. @throws ERR_CONFIG_INVALID, ERR_OUTPUT */
export async function runAuthAdd(role: string, name: string | undefined, options: Options): Promise<void> {
  const known = ROLES.find((one) => one === role);
  if (known === undefined) {
    throw new ShoalError('ERR_CONFIG_INVALID', `no such role: ${role}; there are ${ROLES.join(', ')}`);
  }
  const accounts = readAccounts(placeOf(options));
  await write(options, 'added', [addUser(accounts, known, name ?? nameFor(known))]);
}

/** Runs `auth rotate`. @throws ERR_CONFIG_INVALID, ERR_OUTPUT */
export async function runAuthRotate(name: string, options: Options): Promise<void> {
  const accounts = readAccounts(placeOf(options));
  const dropped = options['dropOld'] === true;
  const changed = dropped ? dropOld(accounts, name) : rotateUser(accounts, name);
  await write(options, dropped ? 'dropped' : 'rotated', [changed]);
}

function nameFor(role: Role): string {
  return role === 'host' ? hostIdFrom(realRandom.bytes(16)) : role;
}

function placeOf({ at }: Options): string {
  return resolve(String(at));
}

async function write(
  options: Options,
  action: AuthWritten['action'],
  changes: readonly Changed[],
): Promise<void> {
  const dir = placeOf(options);
  writeAccounts(dir, changes);
  const accounts = changes.at(-1)?.accounts;
  if (accounts === undefined) return;
  await show(options, { action, ...writtenOf(dir, accounts, changes) });
}

function writtenOf(
  dir: string,
  accounts: Accounts,
  changes: readonly Changed[],
): Omit<AuthWritten, 'action'> {
  return {
    swarm: accounts.swarm,
    kind: accounts.kind,
    config: configFile(dir),
    users: changes.map(({ user }) => ({
      role: user.role,
      name: user.name,
      login: loginFile(dir, user),
      keys: user.keys.length,
    })),
  };
}

function show({ json }: Options, written: AuthWritten): Promise<void> {
  return print(json === true ? `${JSON.stringify(written, null, 2)}\n` : authText(written));
}
