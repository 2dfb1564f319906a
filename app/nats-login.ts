import { ShoalError } from '../core/errors.ts';
import { type NatsCredentials, senderOf } from '../transport/nats-credentials.ts';
import type { NatsTls } from '../transport/nats-options.ts';
import { parseServer } from '../transport/nats-url.ts';
import type { Settings } from './settings.ts';

/** How a process proves itself to NATS, and what it knows the server by. */
export interface NatsLogin {
  /** Absent: none, or what stands in the URL. */
  readonly credentials?: NatsCredentials | undefined;
  readonly tls?: NatsTls | undefined;
}

/** The one login that the settings name. @throws ERR_CONFIG_INVALID where they name two, or half of one */
export function natsLogin(settings: Settings): NatsLogin {
  const ways = credentialsOf(settings);
  if (ways.length > 1) throw invalid('more than one way to log in to NATS is given: keep one');
  const { 'nats-ca': caFile, 'nats-cert': certFile, 'nats-cert-key': keyFile } = settings;
  if ((certFile === undefined) !== (keyFile === undefined)) {
    throw invalid('nats-cert and nats-cert-key belong together: give both, or neither');
  }
  const tls = caFile === undefined && certFile === undefined ? undefined : { caFile, certFile, keyFile };
  return { credentials: ways[0], tls };
}

/** The name that a login gives its owner in subjects, where it gives one. @throws ERR_CONFIG_INVALID */
export function loginName(nats: { servers: readonly string[]; login: NatsLogin }): string | undefined {
  const inUrl = nats.servers.map((text) => parseServer(text).login).find((login) => login !== undefined);
  return senderOf(nats.login.credentials ?? inUrl);
}

function credentialsOf(settings: Settings): NatsCredentials[] {
  const {
    'nats-user': user,
    'nats-password': pass,
    'nats-password-file': passFile,
    'nats-token': token,
    'nats-token-file': tokenFile,
    'nats-creds': credsFile,
    'nats-nkey': nkeyFile,
  } = settings;
  const ways: NatsCredentials[] = [];
  if (user === undefined && pass !== undefined) throw invalid('nats-password needs nats-user beside it');
  if (user !== undefined && pass === undefined && passFile === undefined) {
    throw invalid('nats-user needs nats-password or nats-password-file beside it');
  }
  if (user !== undefined && pass !== undefined) ways.push({ user, pass });
  if (passFile !== undefined) ways.push(user === undefined ? { loginFile: passFile } : { user, passFile });
  if (token !== undefined) ways.push({ token });
  if (tokenFile !== undefined) ways.push({ tokenFile });
  if (credsFile !== undefined) ways.push({ credsFile });
  if (nkeyFile !== undefined) ways.push({ nkeyFile });
  return ways;
}

function invalid(message: string): ShoalError {
  return new ShoalError('ERR_CONFIG_INVALID', message);
}
