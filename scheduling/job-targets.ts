import { type Random, randomInt } from '../core/clock.ts';
import { ShoalError } from '../core/errors.ts';
import type { HostRole } from '../core/host.ts';
import type { HostId } from '../core/ids.ts';
import type { JobPin, JobTargets } from '../core/jobs.ts';

/** What a host is chosen by. */
export interface TargetHost {
  readonly hostId: HostId;
  readonly ip: string;
  readonly role: HostRole;
  readonly name?: string | undefined;
  readonly zone?: string | undefined;
  readonly labels?: Readonly<Record<string, string>> | undefined;
}

/** Hex digits that are enough of a host id. */
const ID_DIGITS = 4;

/**
 * The hosts that are meant, seeds first. Where nothing is said and there is no seed: one host.
 * @throws ERR_HOST_NOT_FOUND where there is none, or one that is named is not there, ERR_CONFIG_INVALID (a name that fits several)
 */
export function chooseHosts(hosts: readonly TargetHost[], targets: JobTargets, random: Random): TargetHost[] {
  const { role, zone, labels, names, count, percent } = targets;
  const isOpen = [role, zone, labels, names, count, percent].every((each) => each === undefined);
  const seeds = isOpen ? hosts.filter((host) => host.role === 'seed') : [];
  if (isOpen) return seeds.length > 0 ? seeds : sample(someOf(hosts, hosts), 1, random);
  const fitting = someOf(fittingHosts(hosts, targets), hosts);
  const share = percent === undefined ? fitting.length : Math.ceil((fitting.length * percent) / 100);
  const chosen = sample(fitting, Math.min(count ?? fitting.length, share), random);
  return chosen.sort((a, b) => Number(b.role === 'seed') - Number(a.role === 'seed'));
}

/**
 * Who is to hold a pin: those that do already, and as many more as it takes; fewer where there are not enough hosts.
 * @param held hosts that hold it, or are to @throws as `chooseHosts`, but that there are none
 */
export function choosePinHosts(
  hosts: readonly TargetHost[],
  targets: JobTargets,
  { copies, zones = 1 }: JobPin,
  held: ReadonlySet<HostId>,
  random: Random,
): TargetHost[] {
  const left = fittingHosts(hosts, targets);
  const chosen: TargetHost[] = [];
  const covered = new Set<string>();
  const take = (from: readonly TargetHost[]): boolean => {
    const fresh = from.filter((host) => !covered.has(zoneOf(host)));
    // Zones first: what is left of the copies goes anywhere.
    const [host] = sample(fresh.length > 0 ? fresh : from, 1, random);
    if (host === undefined) return false;
    left.splice(left.indexOf(host), 1);
    chosen.push(host);
    covered.add(zoneOf(host));
    return true;
  };
  const isEnough = () => chosen.length >= copies && covered.size >= zones;
  while (!isEnough()) {
    const holding = left.filter(({ hostId }) => held.has(hostId));
    const missing = Math.max(0, zones - covered.size);
    const mayTakeAny = copies - chosen.length > missing || covered.size >= zones;
    const useful = (from: TargetHost[]) =>
      mayTakeAny ? from : from.filter((host) => !covered.has(zoneOf(host)));
    if (!take(useful(holding)) && !take(useful(left)) && !(chosen.length < copies && take(left))) break;
  }
  return chosen;
}

/** The hosts that all of it fits. @throws ERR_HOST_NOT_FOUND, ERR_CONFIG_INVALID (a name that fits several) */
function fittingHosts(hosts: readonly TargetHost[], targets: JobTargets): TargetHost[] {
  const { role = 'any', zone, labels = {}, names } = targets;
  const base = names === undefined ? hosts : named(hosts, names);
  return base.filter(
    (host) =>
      (role === 'any' || host.role === role) &&
      (zone === undefined || host.zone === zone) &&
      Object.entries(labels).every(([key, value]) => host.labels !== undefined && host.labels[key] === value),
  );
}

function named(hosts: readonly TargetHost[], names: readonly string[]): TargetHost[] {
  const found = new Map<string, TargetHost>();
  for (const name of names) {
    const small = name.toLowerCase();
    const byId = hosts.filter(({ hostId }) => name.length >= ID_DIGITS && hostId.startsWith(small));
    const byName = hosts.filter((host) => host.ip === name || host.name?.toLowerCase() === small);
    const [host, other] = byId.length > 0 ? byId : byName;
    const shown = JSON.stringify(name.slice(0, 64));
    if (host === undefined) throw new ShoalError('ERR_HOST_NOT_FOUND', `no host of the swarm is ${shown}`);
    if (other !== undefined) {
      throw new ShoalError('ERR_CONFIG_INVALID', `several hosts are ${shown}: write more of the id of one`);
    }
    found.set(host.hostId, host);
  }
  return [...found.values()];
}

/** @throws ERR_HOST_NOT_FOUND where there are none */
function someOf(fitting: readonly TargetHost[], all: readonly TargetHost[]): readonly TargetHost[] {
  if (fitting.length > 0) return fitting;
  throw new ShoalError('ERR_HOST_NOT_FOUND', `none of the ${all.length} hosts of the swarm is meant by this`);
}

function zoneOf({ zone = '' }: TargetHost): string {
  return zone;
}

/** `count` of the rows, each as likely as any other. */
function sample(rows: readonly TargetHost[], count: number, random: Random): TargetHost[] {
  const left = [...rows];
  if (count >= left.length) return left;
  return Array.from({ length: count }, () => left.splice(randomInt(random, left.length), 1)).flat();
}
