import { readFileSync, statSync } from 'node:fs';
import { copyFile } from 'node:fs/promises';
import { join } from 'node:path';
import { connect } from '@nats-io/transport-node';
import { expect, test, vi } from 'vitest';
import { addUser, dropOld, rotateUser } from '../../../app/auth/accounts.ts';
import { configFile, loginFile, readAccounts, writeAccounts } from '../../../app/auth/folder.ts';
import { authenticatorOf } from '../../../transport/nats-credentials.ts';
import { closedNats } from './closed-nats.ts';

test.each(['nkeys', 'passwords'] as const)(
  'a rotated login holds beside the old one until that is dropped: %s',
  async (kind) => {
    await using closed = await closedNats(kind, 'shared');
    const { dir, nats } = closed;
    const enters = async (file: string): Promise<boolean> => {
      const credentials = kind === 'nkeys' ? { nkeyFile: file } : { loginFile: file };
      try {
        const connection = await connect({
          servers: nats.url,
          authenticator: authenticatorOf(credentials),
          reconnect: false,
        });
        await connection.close();
        return true;
      } catch {
        return false;
      }
    };
    const reload = () => process.kill(nats.pid, 'SIGHUP');
    const accounts = readAccounts(dir);
    const operator = accounts.users.find(({ name }) => name === 'operator');
    if (operator === undefined) throw new Error('no operator');
    const current = loginFile(dir, operator);
    const old = join(dir, 'old');
    await copyFile(current, old);
    const staying = await closed.bus('operator', 'client', 'operator');

    writeAccounts(dir, [rotateUser(accounts, 'operator')]);
    expect(await enters(current)).toBe(false);
    reload();
    await vi.waitFor(async () => expect(await enters(current)).toBe(true));
    expect(await enters(old)).toBe(true);
    expect(staying.state).toBe('connected');
    expect(() => rotateUser(readAccounts(dir), 'operator')).toThrow(/two keys of operator hold already/);

    writeAccounts(dir, [dropOld(readAccounts(dir), 'operator')]);
    reload();
    await vi.waitFor(async () => expect(await enters(old)).toBe(false));
    expect(await enters(current)).toBe(true);
    // A daemon that was there with the old login reads its file again, and is back with the new one.
    await vi.waitFor(() => expect(staying.state).toBe('connected'));

    const added = addUser(readAccounts(dir), 'monitor', 'eve');
    writeAccounts(dir, [added]);
    reload();
    await vi.waitFor(async () => expect(await enters(loginFile(dir, added.user))).toBe(true));
    expect(statSync(current).mode & 0o777).toBe(0o600);
    const secrets = readFileSync(current, 'utf8')
      .split('\n')
      .filter((line) => line !== '' && !line.startsWith('#'));
    expect(readFileSync(configFile(dir), 'utf8').includes(secrets[0] ?? '')).toBe(false);
    expect(statSync(configFile(dir)).mode & 0o777).toBe(kind === 'nkeys' ? 0o644 : 0o600);
  },
);

test('names that would be taken for another, and users that are not there, are refused', async () => {
  await using closed = await closedNats('nkeys', 'each');
  const accounts = readAccounts(closed.dir);
  for (const [role, name] of [
    ['operator', 'alice'],
    ['monitor', 'alice'],
    ['monitor', 'operator'],
    ['monitor', 'scheduler'],
    ['monitor', '0123456789abcdef0123456789abcde0'],
    ['operator', 'a.b'],
    ['operator', '*'],
    ['operator', ''],
    ['host', 'node7'],
  ] as const) {
    expect(() => addUser(accounts, role, name), `${role} ${name}`).toThrow(
      expect.objectContaining({ code: 'ERR_CONFIG_INVALID' }),
    );
  }
  expect(() => rotateUser(accounts, 'bob')).toThrow(/there are scheduler, operator, monitor, gateway, alice/);
  expect(() => dropOld(accounts, 'alice')).toThrow(/no old one/);
});
