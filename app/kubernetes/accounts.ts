import { z } from 'zod';
import { ShoalError } from '../../core/errors.ts';
import { ROLES } from '../auth/access.ts';
import { accountsSchema, newAccounts } from '../auth/accounts.ts';
import { loginText } from '../auth/folder.ts';
import { serverConfig } from '../auth/server-config.ts';
import type { ClusterApi } from './api.ts';
import { makeNatsCertificate } from './nats-certificate.ts';

/** Which accounts, and where their Secrets lie. */
export interface ClusterAccounts {
  readonly swarm: string;
  readonly namespace: string;
  /** What the names of all Secrets begin with. */
  readonly name: string;
  /** Service of the NATS servers; they are also known below `<service>-headless`. */
  readonly service: string;
}

/** What became of each Secret. */
export type SecretsDone = readonly { readonly secret: string; readonly done: string }[];

/** Everything that cannot be made a second time; `accounts` is one Secret, so that it is there whole or not at all. */
const keptSchema = z.object({
  accounts: z
    .string()
    .transform((text) => JSON.parse(text))
    .pipe(accountsSchema),
  logins: z
    .string()
    .transform((text) => JSON.parse(text))
    .pipe(z.record(z.string(), z.string())),
  ca: z.string(),
  cert: z.string(),
  key: z.string(),
});
type Kept = z.infer<typeof keptSchema>;

const LABELS = { 'app.kubernetes.io/name': 'shoal', 'app.kubernetes.io/component': 'accounts' };

/**
 * Makes the accounts of a swarm and the certificate of its NATS as Secrets of a cluster, where they are missing: one
 * for NATS, one for each role that logs in, and one that keeps it all.
 * @throws ERR_CONFIG_INVALID, ERR_OUTPUT
 */
export async function makeClusterAccounts(
  api: ClusterApi,
  asked: ClusterAccounts,
  nowMs: number,
): Promise<SecretsDone> {
  const { kept, done } = await keepAccounts(api, asked, nowMs);
  if (kept.accounts.swarm !== asked.swarm) {
    const why = `holds the accounts of the swarm ${kept.accounts.swarm}: remove it, or keep that name`;
    throw new ShoalError('ERR_CONFIG_CONFLICT', `the Secret ${keptName(asked)} ${why}`);
  }
  const secrets: Record<string, Readonly<Record<string, string>>> = {
    [natsName(asked)]: {
      'auth.conf': serverConfig(kept.accounts),
      'ca.crt': kept.ca,
      'tls.crt': kept.cert,
      'tls.key': kept.key,
    },
  };
  for (const role of ROLES) {
    secrets[loginName(asked, role)] = { 'login.nk': kept.logins[role] ?? '', 'ca.crt': kept.ca };
  }
  const all = [done];
  for (const [secret, data] of Object.entries(secrets)) {
    all.push({ secret, done: await api.create(pathOf(asked), secretOf(asked, secret, data)) });
  }
  return all;
}

/** Removes all these Secrets, that which keeps it all last. @throws ERR_OUTPUT */
export async function removeClusterAccounts(api: ClusterApi, asked: ClusterAccounts): Promise<SecretsDone> {
  const done = [];
  const names = [natsName(asked), ...ROLES.map((role) => loginName(asked, role)), keptName(asked)];
  for (const secret of names) done.push({ secret, done: await api.remove(`${pathOf(asked)}/${secret}`) });
  return done;
}

async function keepAccounts(
  api: ClusterApi,
  asked: ClusterAccounts,
  nowMs: number,
): Promise<{ kept: Kept; done: SecretsDone[number] }> {
  const secret = keptName(asked);
  const there = await api.read(`${pathOf(asked)}/${secret}`);
  if (there !== undefined) return { kept: readKept(secret, there), done: { secret, done: 'kept' } };
  const made = newAccounts(asked.swarm, 'nkeys', 'shared');
  const accounts = made.at(-1)?.accounts;
  if (accounts === undefined) throw new ShoalError('ERR_CONFIG_INVALID', 'there are no roles');
  const logins = made.flatMap(({ user, secret: login }) =>
    login === undefined ? [] : [[user.role, loginText(accounts, user, login)] as const],
  );
  const kept: Kept = {
    accounts,
    logins: Object.fromEntries(logins),
    ...(await makeNatsCertificate(namesOf(asked), nowMs)),
  };
  const data = {
    ...kept,
    accounts: JSON.stringify(kept.accounts, null, 2),
    logins: JSON.stringify(kept.logins),
  };
  const done = await api.create(pathOf(asked), secretOf(asked, secret, data));
  // Another was faster: what it made counts.
  if (done === 'kept') return keepAccounts(api, asked, nowMs);
  return { kept, done: { secret, done } };
}

function readKept(secret: string, object: unknown): Kept {
  const data = z.object({ data: z.record(z.string(), z.string()) }).safeParse(object).data?.data ?? {};
  const plain = Object.entries(data).map(([key, value]) => [
    key,
    Buffer.from(value, 'base64').toString('utf8'),
  ]);
  try {
    return keptSchema.parse(Object.fromEntries(plain));
  } catch (cause) {
    const why = 'does not hold what `shoal kubernetes accounts` writes';
    throw new ShoalError('ERR_CONFIG_INVALID', `the Secret ${secret} ${why}`, { cause });
  }
}

/** Every name that a client or another server of the cluster may have for a server. */
function namesOf({ service, namespace }: ClusterAccounts): string[] {
  const spaces = ['', `.${namespace}`, `.${namespace}.svc`, `.${namespace}.svc.cluster.local`];
  return [
    ...spaces.map((space) => service + space),
    ...spaces.map((space) => `*.${service}-headless${space}`),
    'localhost',
  ];
}

function secretOf({ name, namespace }: ClusterAccounts, secret: string, data: Record<string, string>) {
  return {
    apiVersion: 'v1',
    kind: 'Secret',
    metadata: {
      name: secret,
      namespace,
      labels: { ...LABELS, 'app.kubernetes.io/part-of': name },
    },
    type: 'Opaque',
    stringData: data,
  };
}

function pathOf({ namespace }: ClusterAccounts): string {
  return `/api/v1/namespaces/${namespace}/secrets`;
}

function keptName({ name }: ClusterAccounts): string {
  return `${name}-accounts`;
}

function natsName({ name }: ClusterAccounts): string {
  return `${name}-nats-auth`;
}

function loginName({ name }: ClusterAccounts, role: string): string {
  return `${name}-login-${role}`;
}
