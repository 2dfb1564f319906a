import { z } from 'zod';
import type { HostStatus } from '../../admin/control.ts';
import { toShoalError } from '../../core/errors.ts';
import { redactUrl } from '../../core/source.ts';
import { parseServer } from '../../transport/nats-url.ts';
import type { NatsConfig } from '../config.ts';
import { openLog } from '../logging.ts';
import { connectSwarm } from '../swarm-client.ts';
import { firstLine } from './dial.ts';
import { type Finding, fault, ok, warning } from './finding.ts';

const DIAL_MS = 3_000;

/** What a server of NATS says of itself before anything else. @see NATS client protocol, INFO */
const infoSchema = z.object({
  version: z.string(),
  jetstream: z.boolean().default(false),
  auth_required: z.boolean().default(false),
});

/** Looks at NATS: reached, JetStream, and what it says to the login of the daemon, or to the one that was given. */
export async function checkNats(
  servers: readonly string[],
  status: HostStatus | undefined,
  own: { readonly nats: NatsConfig; readonly swarm: string } | undefined,
): Promise<Finding[]> {
  const findings = (await Promise.all(servers.map(checkServer))).flat();
  if (status !== undefined) findings.push(loginOfDaemon(status));
  if (own !== undefined) findings.push(await ownLogin(own.nats, own.swarm));
  return findings;
}

async function checkServer(url: string): Promise<Finding[]> {
  const { host, server } = parseServer(url);
  const said = await firstLine(host, Number(server.slice(server.lastIndexOf(':') + 1)), DIAL_MS);
  const shown = redactUrl(url);
  if (said.why !== undefined) {
    const fix = `start it (nats-server -js -sd DIR), or give the right one: --nats nats://HOST:4222`;
    return [fault('nats', `${shown} cannot be reached: ${said.why}`, fix)];
  }
  const info = infoOf(said.line);
  if (info === undefined) {
    if (said.line === undefined) return [ok('nats', `${shown} is reached, and says nothing before TLS`)];
    return [fault('nats', `${shown} is no NATS`, 'give the URL of one: --nats nats://HOST:4222')];
  }
  const login = info.auth_required ? 'asks for a login' : 'asks nobody for a login';
  const jetstream = info.jetstream
    ? ok('jetstream', 'on: jobs, and what tasks are, outlive a scheduler')
    : fault('jetstream', `off at ${shown}: no jobs, no log of tasks`, 'start nats-server with -js -sd DIR');
  return [ok('nats', `${shown} is reached, version ${info.version}, ${login}`), jetstream];
}

function infoOf(line: string | undefined): z.infer<typeof infoSchema> | undefined {
  const text = /^INFO (\{.*\})\s*$/.exec(line ?? '')?.[1];
  if (text === undefined) return undefined;
  try {
    return infoSchema.safeParse(JSON.parse(text)).data;
  } catch {
    return undefined;
  }
}

function loginOfDaemon({ nats, troubles }: HostStatus): Finding {
  const why = troubles['nats'];
  const fix =
    'start the daemon with the right login: --nats-nkey FILE, --nats-user NAME --nats-password-file FILE, …';
  if (why !== undefined) return fault('nats login', `the daemon: ${why}`, fix);
  if (nats.state === 'connected') return ok('nats login', 'the daemon is connected');
  return warning('nats login', `the daemon is ${nats.state}`, 'see the log of the daemon; it tries again');
}

async function ownLogin(nats: NatsConfig, swarm: string): Promise<Finding> {
  try {
    const client = await connectSwarm(swarm, nats, openLog({ level: 'error', format: 'json' }));
    await client[Symbol.asyncDispose]();
    return ok('nats login', 'the login that was given is taken');
  } catch (error) {
    const { message, cause, fix } = toShoalError(error);
    const said = cause instanceof Error ? `: ${cause.message}` : '';
    return fault('nats login', `the login that was given: ${message}${said}`, fix);
  }
}
