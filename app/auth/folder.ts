import { existsSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { ShoalError } from '../../core/errors.ts';
import { makeDir, replaceFile } from '../../storage/private-files.ts';
import { senderLine } from '../../transport/nats-credentials.ts';
import { type Accounts, accountsSchema, type Changed, idOf, type User } from './accounts.ts';
import type { MadeSecret } from './secrets.ts';
import { serverConfig } from './server-config.ts';

const ACCOUNTS = 'accounts.json';

/** The file that nats-server reads. */
export function configFile(dir: string): string {
  return join(dir, 'nats', 'auth.conf');
}

/** The file that a user logs in with: a folder for each role, so that each can be given away alone. */
export function loginFile(dir: string, user: User): string {
  const ending = user.keys.some((key) => 'nkey' in key) ? 'nk' : 'login';
  const name = user.name === user.role ? user.role : `${user.role}-${user.name}`;
  return join(dir, user.role, `${name}.${ending}`);
}

/** Whether a folder holds accounts. */
export function hasAccounts(dir: string): boolean {
  return existsSync(join(dir, ACCOUNTS));
}

/** @throws ERR_CONFIG_INVALID where there are none, or they are not readable */
export function readAccounts(dir: string): Accounts {
  const path = join(dir, ACCOUNTS);
  if (!hasAccounts(dir)) {
    throw new ShoalError(
      'ERR_CONFIG_INVALID',
      `there are no accounts in ${dir}: \`shoal auth init --at ${dir}\` makes them`,
    );
  }
  try {
    return accountsSchema.parse(JSON.parse(readFileSync(path, 'utf8')));
  } catch (cause) {
    throw new ShoalError('ERR_CONFIG_INVALID', `${path} does not hold the accounts of a swarm`, { cause });
  }
}

/** Writes the accounts, what nats-server reads, and the new logins. @throws ERR_OUTPUT */
export function writeAccounts(dir: string, changes: readonly Changed[]): void {
  const last = changes.at(-1);
  if (last === undefined) return;
  const { accounts } = last;
  const withPasswords = accounts.kind === 'passwords';
  try {
    for (const { user, secret } of changes) {
      if (secret !== undefined) replace(loginFile(dir, user), loginText(accounts, user, secret), 0o600);
    }
    // The keys first: without them nobody could log in to what the server is told of.
    replace(join(dir, ACCOUNTS), `${JSON.stringify(accounts, null, 2)}\n`, 0o600);
    replace(configFile(dir), serverConfig(accounts), withPasswords ? 0o600 : 0o644);
  } catch (cause) {
    const why = cause instanceof Error ? cause.message : String(cause);
    throw new ShoalError('ERR_OUTPUT', `cannot write the accounts into ${dir}: ${why}`, { cause });
  }
}

/** The file that a user logs in with. */
export function loginText({ swarm }: Accounts, user: User, { line }: MadeSecret): string {
  const id = idOf(user);
  return [
    `# NATS login of the ${user.role} of the swarm ${swarm}, made by shoal auth. Whoever reads it can act as that one.`,
    ...(id === undefined ? [] : [senderLine(id)]),
    line,
    '',
  ].join('\n');
}

/** Whole or not at all. */
function replace(path: string, text: string, mode: number): void {
  makeDir(dirname(path));
  replaceFile(path, text, mode);
}
