import { setTimeout as delay } from 'node:timers/promises';
import { connect, type NatsConnection, PermissionViolationError } from '@nats-io/transport-node';
import type { Role } from '../../../app/auth/access.ts';
import { type Accounts, addUser, type Changed, type Kind, newAccounts } from '../../../app/auth/accounts.ts';
import { configFile, loginFile, writeAccounts } from '../../../app/auth/folder.ts';
import { ShoalError } from '../../../core/errors.ts';
import type { Bus } from '../../../transport/bus.ts';
import type { SenderKind } from '../../../transport/inbox.ts';
import { connectNatsBus } from '../../../transport/nats-bus.ts';
import { authenticatorOf, type NatsCredentials } from '../../../transport/nats-credentials.ts';
import { startNats, type TestNats } from '../../support/nats-server.ts';
import { tempDir } from '../../support/temp-dir.ts';

export const HOST = '0123456789abcdef0123456789abcdef';
export const OTHER_HOST = 'fedcba9876543210fedcba9876543210';
export const SCHEDULER = '0123456789abcdef';

/** A nats-server that is closed as `shoal auth` closes it. */
export interface ClosedNats extends AsyncDisposable {
  readonly nats: TestNats;
  readonly dir: string;
  login(name: string): NatsCredentials;
  /** A client that says what it likes. */
  raw(name: string): Promise<NatsConnection>;
  /** A bus, connected. */
  bus(login: string, kind: SenderKind, name: string): Promise<Bus>;
}

/** Makes accounts, with users of their own for two hosts where each has its own, and starts a server with them. */
export async function closedNats(kind: Kind, hostUsers: 'shared' | 'each'): Promise<ClosedNats> {
  const temp = await tempDir();
  const dir = temp.path;
  const changes: Changed[] = newAccounts('shoal', kind, hostUsers);
  let accounts = changes.at(-1)?.accounts as Accounts;
  const more: [Role, string][] = [['operator', 'alice']];
  if (hostUsers === 'each') more.push(['host', HOST], ['host', OTHER_HOST]);
  for (const [role, name] of more) {
    const added = addUser(accounts, role, name);
    ({ accounts } = added);
    changes.push(added);
  }
  writeAccounts(dir, changes);
  const nats = await startNats({ config: `include "..${configFile(dir).slice('/tmp'.length)}"` });
  const closing: { close(): Promise<void> }[] = [];
  const login = (name: string): NatsCredentials => {
    const user = accounts.users.find((one) => one.name === name);
    if (user === undefined) throw new Error(`no user ${name}`);
    const file = loginFile(dir, user);
    return kind === 'nkeys' ? { nkeyFile: file } : { loginFile: file };
  };
  return {
    nats,
    dir,
    login,
    async raw(name) {
      const connection = await connect({ servers: nats.url, authenticator: authenticatorOf(login(name)) });
      closing.push(connection);
      return connection;
    },
    async bus(user, sender, name) {
      const made = connectNatsBus({
        servers: nats.url,
        credentials: login(user),
        kind: sender,
        name,
        swarm: 'shoal',
      });
      closing.push(made);
      await until(() => made.state === 'connected');
      return made;
    },
    async [Symbol.asyncDispose]() {
      await Promise.all(closing.map((one) => one.close()));
      await nats[Symbol.asyncDispose]();
      await temp[Symbol.asyncDispose]();
    },
  };
}

async function until(holds: () => boolean): Promise<void> {
  for (let left = 1_000; !holds(); left -= 1) {
    if (left === 0) throw new ShoalError('ERR_TIMEOUT', 'it does not come to hold');
    await delay(10);
  }
}

/** What the server refuses a client, as `publish SUBJECT` and `subscription SUBJECT`. */
export function refusals(connection: NatsConnection): Set<string> {
  const refused = new Set<string>();
  void (async () => {
    for await (const status of connection.status()) {
      if (status.type !== 'error' || !(status.error instanceof PermissionViolationError)) continue;
      refused.add(`${status.error.operation} ${status.error.subject}`);
    }
  })();
  return refused;
}
