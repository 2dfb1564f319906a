import { type Random, randomInt } from '../../core/clock.ts';
import { ShoalError } from '../../core/errors.ts';
import type { HostRow } from '../../core/swarm-rows.ts';

/** Which hosts a preheat is for. */
export interface HostChoice {
  /** Absent: the seeds, or all hosts where something else narrows the choice. */
  readonly on?: 'seeds' | 'all' | readonly string[] | undefined;
  readonly zone?: string | undefined;
  /** All of them must be on the host. */
  readonly labels?: Readonly<Record<string, string>> | undefined;
  /** That many of them, at random. */
  readonly count?: number | undefined;
}

/** Hex digits that are enough of a host id. */
const ID_DIGITS = 4;

/**
 * The hosts that are meant, seeds first. Where nothing is said and there is no seed: one host.
 * @throws ERR_HOST_NOT_FOUND where there is none, or one that is named is not there, ERR_CONFIG_INVALID (a name that fits several)
 */
export function chooseHosts(hosts: readonly HostRow[], choice: HostChoice, random: Random): HostRow[] {
  const { on, zone, labels = {}, count } = choice;
  const wanted = Object.entries(labels);
  const narrowed = zone !== undefined || wanted.length > 0 || count !== undefined;
  const base = typeof on === 'object' ? named(hosts, on) : hosts;
  const seedsOnly = on === 'seeds' || (on === undefined && !narrowed);
  const fitting = base.filter(
    (host) =>
      (!seedsOnly || host.role === 'seed') &&
      (zone === undefined || host.zone === zone) &&
      wanted.every(([key, value]) => host.labels !== undefined && host.labels[key] === value),
  );
  if (fitting.length === 0 && on === undefined && !narrowed) return sample(hosts, 1, random);
  const chosen = sample(fitting, count ?? fitting.length, random);
  if (chosen.length === 0) {
    throw new ShoalError(
      'ERR_HOST_NOT_FOUND',
      `none of the ${hosts.length} hosts of the swarm is meant by this`,
    );
  }
  return chosen.sort((a, b) => Number(b.role === 'seed') - Number(a.role === 'seed'));
}

function named(hosts: readonly HostRow[], names: readonly string[]): HostRow[] {
  const found = new Map<string, HostRow>();
  for (const name of names) {
    const byIp = hosts.filter(({ ip }) => ip === name);
    const byId = hosts.filter(
      ({ hostId }) => name.length >= ID_DIGITS && hostId.startsWith(name.toLowerCase()),
    );
    const [host, other] = byId.length > 0 ? byId : byIp;
    const shown = JSON.stringify(name.slice(0, 64));
    if (host === undefined) throw new ShoalError('ERR_HOST_NOT_FOUND', `no host of the swarm is ${shown}`);
    if (other !== undefined) {
      throw new ShoalError('ERR_CONFIG_INVALID', `several hosts are ${shown}: write more of the id of one`);
    }
    found.set(host.hostId, host);
  }
  return [...found.values()];
}

/** `count` of the rows, each as likely as any other. @throws ERR_HOST_NOT_FOUND where there are none */
function sample(rows: readonly HostRow[], count: number, random: Random): HostRow[] {
  const left = [...rows];
  if (count >= left.length) {
    if (left.length > 0) return left;
    throw new ShoalError('ERR_HOST_NOT_FOUND', 'no host of the swarm is meant by this');
  }
  return Array.from({ length: count }, () => left.splice(randomInt(random, left.length), 1)).flat();
}
