import { nkeys } from '@nats-io/transport-node';

/** What a nats-server of an operator needs, and the credentials file of one user of its one account. */
export interface NatsJwt {
  readonly operatorJwt: string;
  /** Beside `operator: FILE` in the server's configuration. */
  readonly config: string;
  readonly creds: string;
}

type Pair = ReturnType<typeof nkeys.createUser>;

const encoded = (value: unknown): string => Buffer.from(JSON.stringify(value)).toString('base64url');
const seedText = (pair: Pair): string => new TextDecoder().decode(pair.getSeed());

function jwt(signer: Pair, subject: Pair, name: string, claims: Record<string, unknown>): string {
  const head = encoded({ typ: 'JWT', alg: 'ed25519-nkey' });
  const ids = { iss: signer.getPublicKey(), sub: subject.getPublicKey() };
  const body = encoded({ jti: name, iat: 1_700_000_000, name, ...ids, nats: { version: 2, ...claims } });
  const signature = signer.sign(new TextEncoder().encode(`${head}.${body}`));
  return `${head}.${body}.${Buffer.from(signature).toString('base64url')}`;
}

/** An operator with one account and one user, who may do everything. */
export function makeNatsJwt(): NatsJwt {
  const operator = nkeys.createOperator();
  const account = nkeys.createAccount();
  const user = nkeys.createUser();
  const all = { subs: -1, data: -1, payload: -1 };
  const limits = { ...all, imports: -1, exports: -1, wildcards: true, conn: -1, leaf: -1 };
  const accountJwt = jwt(operator, account, 'account', { type: 'account', limits });
  const userJwt = jwt(account, user, 'user', { type: 'user', ...all });
  return {
    operatorJwt: jwt(operator, operator, 'operator', { type: 'operator' }),
    config: `resolver: MEMORY\nresolver_preload: { ${account.getPublicKey()}: "${accountJwt}" }\n`,
    creds: `-----BEGIN NATS USER JWT-----\n${userJwt}\n------END NATS USER JWT------\n
-----BEGIN USER NKEY SEED-----\n${seedText(user)}\n------END USER NKEY SEED------\n`,
  };
}
