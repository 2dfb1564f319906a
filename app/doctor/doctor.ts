import { connectDaemon, type DaemonClient } from '../../admin/client.ts';
import type { HostStatus } from '../../admin/control.ts';
import { toShoalError } from '../../core/errors.ts';
import { DEFAULT_NATS, type NatsConfig } from '../config.ts';
import { checkClients } from './client-checks.ts';
import { type Finding, fault, ok } from './finding.ts';
import { checkMachine } from './machine-checks.ts';
import { checkNats } from './nats-checks.ts';
import { checkImage, checkTroubled, checkUrl } from './source-checks.ts';
import { checkSwarm, type SwarmTold } from './swarm-checks.ts';

/** What is to be looked at. */
export interface DoctorAsked {
  /** The daemon's directory. */
  readonly dir: string;
  readonly swarm: string;
  /** Where NATS is, and the login to try, where they were given. */
  readonly nats: NatsConfig | undefined;
  /** Where programs are, as PATH has it. */
  readonly path: string;
  readonly image: string | undefined;
  readonly url: string | undefined;
}

/** What was found, and what the swarm told of itself. */
export interface Examined {
  readonly findings: readonly Finding[];
  readonly status?: HostStatus | undefined;
  readonly told: SwarmTold;
}

/** Looks at a daemon, its machine and its swarm; what is wrong comes with what mends it. */
export async function examine(asked: DoctorAsked): Promise<Examined> {
  const { dir, nats, swarm, image, url } = asked;
  const reached = await connectDaemon(dir).then(askStatus, notReached);
  const { daemon, status } = reached;
  const servers = status?.nats.url?.split(',') ?? (nats?.servers || [DEFAULT_NATS]);
  const own = nats === undefined ? undefined : { nats, swarm };
  const [ofNats, ofSwarm, ofMachine, ofClients, ofSources] = await Promise.all([
    status !== undefined && status.nats.url === undefined ? [] : checkNats(servers, status, own),
    daemon === undefined || status === undefined ? undefined : checkSwarm(daemon, status),
    checkMachine(dir, status),
    checkClients(asked.path, image !== undefined),
    daemon === undefined || status === undefined ? [] : sources(daemon, status, { dir, image, url }),
  ]);
  const findings = [
    ...reached.findings,
    ...ofNats,
    ...(ofSwarm?.findings ?? []),
    ...ofMachine,
    ...ofClients,
    ...ofSources,
  ];
  return { findings, status, told: ofSwarm?.told ?? {} };
}

interface Reached {
  readonly daemon?: DaemonClient;
  readonly status?: HostStatus;
  readonly findings: readonly Finding[];
}

async function askStatus(daemon: DaemonClient): Promise<Reached> {
  const status = await daemon.status();
  const { hostId, role, state } = status;
  return { daemon, status, findings: [ok('daemon', `${hostId.slice(0, 12)}, a ${role} host, ${state}`)] };
}

function notReached(error: unknown): Reached {
  const { message, fix } = toShoalError(error);
  return { findings: [fault('daemon', message, fix)] };
}

async function sources(
  daemon: DaemonClient,
  status: HostStatus,
  { dir, image, url }: Pick<DoctorAsked, 'dir' | 'image' | 'url'>,
): Promise<Finding[]> {
  return [
    ...checkTroubled(status),
    ...(image === undefined ? [] : await checkImage(image, dir, status)),
    ...(url === undefined ? [] : [await checkUrl(url, daemon)]),
  ];
}
