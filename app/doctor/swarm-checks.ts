import type { DaemonClient } from '../../admin/client.ts';
import type { HostStatus } from '../../admin/control.ts';
import { toShoalError } from '../../core/errors.ts';
import type { HostRow, SchedulerRow } from '../../core/swarm-rows.ts';
import { isLoopback } from '../advertise.ts';
import { dial } from './dial.ts';
import { type Finding, fault, ok, warning } from './finding.ts';

const DIAL_MS = 2_000;
/** Hosts whose data ports are tried. */
const MOST_DIALLED = 16;

/** What the swarm told of itself, as far as it did. */
export interface SwarmTold {
  readonly hosts?: readonly HostRow[];
  readonly schedulers?: readonly SchedulerRow[];
}

/** Looks at schedulers, clock, seeds and data ports, through the daemon. */
export async function checkSwarm(
  daemon: DaemonClient,
  status: HostStatus,
): Promise<{ readonly told: SwarmTold; readonly findings: readonly Finding[] }> {
  if (status.nats.state !== 'connected') return { told: {}, findings: clockOf(status) };
  const [schedulers, hosts] = await Promise.allSettled([daemon.schedulers(), daemon.hosts()]);
  const findings = [
    ...(schedulers.status === 'fulfilled'
      ? schedulersOf(schedulers.value, status)
      : [noScheduler(schedulers.reason, status)]),
    ...clockOf(status),
    ...(hosts.status === 'fulfilled' ? await hostsOf(hosts.value, status) : []),
  ];
  const told = {
    ...(schedulers.status === 'fulfilled' && { schedulers: schedulers.value }),
    ...(hosts.status === 'fulfilled' && { hosts: hosts.value }),
  };
  return { told, findings };
}

function noScheduler(error: unknown, { nats }: Pick<HostStatus, 'nats'>): Finding {
  const { code, message, fix } = toShoalError(error);
  if (code === 'ERR_BUS_DENIED') {
    return fault('scheduler', `the login of the daemon may not ask: ${message}`, fix);
  }
  return fault('scheduler', 'none answers', `shoal scheduler --nats ${nats.url ?? 'URL'}`);
}

function schedulersOf(rows: readonly SchedulerRow[], { version, nats, troubles }: HostStatus): Finding[] {
  const stale = troubles['scheduler'];
  if (stale !== undefined) {
    const fix =
      'stop that scheduler (`shoal scheduler ls` names its machine), set its clock right, and start it again';
    return [fault('scheduler', `not believed by this host: ${stale}`, fix)];
  }
  if (rows.length === 0) return [noScheduler(undefined, { nats })];
  const other = rows.find((row) => row.version !== version);
  const count = rows.length === 1 ? 'one answers' : `${rows.length} answer`;
  const findings = [ok('scheduler', count)];
  if (other !== undefined) {
    const says = `that of ${other.name} has version ${other.version}, this daemon ${version}`;
    findings.push(warning('versions', says, 'bring all daemons of the swarm to one version'));
  }
  return findings;
}

function clockOf({ troubles }: HostStatus): Finding[] {
  const { clock } = troubles;
  if (clock === undefined) return [];
  return [fault('clock', clock, 'set the clock of the machine that is wrong: timedatectl set-ntp true')];
}

async function hostsOf(rows: readonly HostRow[], status: HostStatus): Promise<Finding[]> {
  const seeds = rows.filter(({ role }) => role === 'seed').length;
  const others = rows.filter(({ hostId }) => hostId !== status.hostId);
  return [
    seeds > 0
      ? ok('seeds', seeds === 1 ? 'one seed' : `${seeds} seeds`)
      : warning(
          'seeds',
          'there is none: any host may have to read the origin first',
          'shoal seed --nats URL',
        ),
    addressOf(others, status),
    ...(await dataPorts(others, status)),
  ];
}

function addressOf(others: readonly HostRow[], { ip }: HostStatus): Finding {
  const isElsewhere = others.some((row) => !isLoopback(row.ip));
  if (!isLoopback(ip) || !isElsewhere) return ok('address', `others are told ${ip}`);
  const fix = 'start the daemon with --advertise IP, an address of this machine that others reach';
  return fault('address', `others are told ${ip}, which is their own machine to them`, fix);
}

async function dataPorts(others: readonly HostRow[], { ip, dataPort }: HostStatus): Promise<Finding[]> {
  const own = await dial(ip, dataPort, DIAL_MS);
  const tried = others.slice(0, MOST_DIALLED);
  const answers = await Promise.all(tried.map((row) => dial(row.ip, row.port, DIAL_MS)));
  const closed = tried.flatMap((row, index) => {
    const why = answers[index];
    return why === undefined ? [] : [{ row, why }];
  });
  const findings: Finding[] = [];
  if (own !== undefined) {
    const fix = `open TCP ${dataPort} to this machine, or start the daemon with an --advertise that leads to it`;
    findings.push(
      fault('data port', `this daemon is not reached at ${ip}:${dataPort}, as others are told: ${own}`, fix),
    );
  }
  for (const { row, why } of closed) {
    const fix = `open TCP ${row.port} of ${row.ip} to the swarm; on that machine \`shoal doctor\` says more`;
    const says = `host ${row.hostId.slice(0, 12)} is not reached at ${row.ip}:${row.port}: ${why}`;
    findings.push(fault('data port', says, fix));
  }
  if (findings.length > 0) return findings;
  const both = tried.length === 0 ? '' : `, and ${tried.length} of ${others.length} others from here`;
  return [ok('data ports', `${ip}:${dataPort} is open here${both}`)];
}
