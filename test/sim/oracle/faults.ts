import { PARTITIONS } from '../../../core/ids.ts';
import { LIMITS } from '../../../core/limits.ts';
import type { SimHost } from '../../../sim/host.ts';
import { SUBJECTS } from '../../../transport/subjects.ts';
import { EmptyScheduler } from './empty-scheduler.ts';
import type { Stage } from './stage.ts';

/** One kind of thing that goes wrong. */
export interface Fault {
  readonly name: string;
  /** Copies that may leave the origin at most; absent: nobody can hold hosts to one where they cannot reach each other. */
  readonly copies?: number;
  /**
   * Hosts tell each other what they read: without a digest others believe the little that they were to read, and read anew
   * what was under way as the scheduler fell silent.
   */
  readonly mute?: true;
  /** The same, and every host proves every other by a piece of it. */
  readonly doubts?: true;
  /** Another scheduler takes over: it has one piece of each host read again, to prove what that host read before. */
  readonly renews?: true;
  /** What is wrong before anything starts. */
  readonly before?: (stage: Stage) => void;
  /** What goes wrong around the download. */
  readonly during?: (stage: Stage) => void;
}

const MINUTE_MS = 60_000;
const HOUR_MS = 60 * MINUTE_MS;

/** Copies that may leave the origin where all live, and can be reached. */
export const LIVING = 1.1;
/** And where one may have died with pieces that nobody else had. */
const DYING = 1.3;

/** The kinds of faults that the oracle draws from; each leaves some host running that can read the origin. */
export const FAULTS: readonly Fault[] = [
  { name: 'nothing goes wrong', copies: LIVING },
  {
    name: 'messages are lost, doubled and late',
    copies: LIVING,
    before({ sim: { faults }, random }) {
      faults.drop = random.next() * 0.15;
      faults.duplicate = random.next() * 0.1;
      faults.delay = random.next() * 0.2;
      faults.delayMs = 50 + random.next() * 500;
    },
  },
  { name: 'links are cut one way', during: (stage) => cut(stage, 'one way') },
  { name: 'links are cut both ways', during: (stage) => cut(stage, 'both ways') },
  {
    name: 'hosts are cut off from all hosts and the origin',
    during: (stage) =>
      stage.lose(
        (host) => host.cutLink(true),
        (host) => host.cutLink(false),
      ),
  },
  {
    name: 'hosts are frozen',
    copies: DYING,
    during: (stage) =>
      stage.lose(
        (host) => host.freeze(true),
        (host) => host.freeze(false),
      ),
  },
  {
    name: 'hosts are killed',
    copies: DYING,
    during: (stage) =>
      stage.lose(
        (host) => host.crash(),
        (host) => void host.restart().then(() => stage.ask(host)),
      ),
  },
  {
    name: 'a parent lies',
    // Nobody is given what it alone read.
    copies: DYING,
    during(stage) {
      const { server } = stage.parent();
      if (server) server.lies = true;
    },
  },
  {
    name: 'a parent trickles',
    copies: LIVING,
    during(stage) {
      const host = stage.parent();
      const trickle = (trickles: boolean) => () => {
        if (trickles) stage.withholds(host);
        // It goes on reading for others until they find out.
        if (trickles) stage.sim.at(LIMITS.idleMs, () => stage.withholds(host));
        if (host.server) host.server.trickles = trickles;
      };
      stage.spell(trickle(true), trickle(false));
    },
  },
  {
    name: 'clocks of hosts are wrong',
    copies: LIVING,
    before({ sim, random }) {
      const share = random.next();
      for (const host of sim.hosts) {
        const skewMs = random.chance(0.5) ? 5 * MINUTE_MS : HOUR_MS;
        const sign = random.chance(0.5) ? 1 : -1;
        if (random.chance(share)) host.skewMs = sign * skewMs;
      }
    },
  },
  {
    name: 'the scheduler is lost',
    copies: LIVING,
    mute: true,
    during: (stage) => stage.sim.at(stage.momentMs(), () => stage.sim.scheduler.crash()),
  },
  {
    name: 'the scheduler is restarted',
    copies: LIVING,
    renews: true,
    during(stage) {
      const { sim, random } = stage;
      const atMs = stage.momentMs();
      sim.at(atMs, () => sim.scheduler.crash());
      sim.at(atMs + random.next() * 3_000, () => sim.scheduler.start());
    },
  },
  {
    name: 'the scheduler is frozen',
    copies: LIVING,
    mute: true,
    during(stage) {
      const { scheduler } = stage.sim;
      stage.spell(
        () => scheduler.freeze(true),
        () => scheduler.freeze(false),
      );
    },
  },
  {
    name: 'the newer of two schedulers is killed',
    copies: LIVING,
    renews: true,
    during(stage) {
      const { sim, random } = stage;
      const atMs = random.chance(0.5) ? 0 : stage.momentMs();
      sim.at(atMs, () => sim.rival.start());
      sim.at(atMs + 200 + random.next() * 4_000, () => sim.rival.crash());
    },
  },
  {
    name: 'the scheduler was an hour ahead, and is right again',
    copies: LIVING,
    renews: true,
    before({ sim }) {
      sim.scheduler.skewMs = HOUR_MS;
      // Every host hears its census.
      sim.at(1_000, () => sim.scheduler.restart());
    },
    during(stage) {
      const { sim, random } = stage;
      const atMs = stage.momentMs();
      const hasStore = random.chance(0.3);
      sim.at(atMs, () => sim.scheduler.crash());
      sim.at(atMs + random.next() * 1_500, () => {
        if (!hasStore) sim.place.hub.wipe();
        sim.scheduler.skewMs = 0;
        sim.scheduler.start();
      });
    },
  },
  {
    name: 'a census of the largest epoch is forged',
    copies: LIVING,
    during(stage) {
      const forger = stage.sim.place.hub.bus('forger');
      const partitions = Array.from({ length: PARTITIONS }, (_, index) => index);
      const census = { epoch: Number.MAX_SAFE_INTEGER, partitions, schedulerKeys: [] };
      stage.sim.at(stage.momentMs(), () => forger.publish(SUBJECTS.census, {}, census));
    },
  },
  {
    name: 'a scheduler leases nothing',
    copies: LIVING,
    mute: true,
    doubts: true,
    renews: true,
    during(stage) {
      const { sim } = stage;
      const empty = new EmptyScheduler(sim);
      stage.spell(
        () => {
          sim.scheduler.crash();
          empty.start();
        },
        () => {
          empty.stop();
          sim.scheduler.start();
        },
      );
    },
  },
  {
    name: 'NATS is cut',
    copies: LIVING,
    mute: true,
    during(stage) {
      stage.spell(
        () => stage.sim.cutNats(true),
        () => stage.sim.cutNats(false),
      );
    },
  },
];

/** One child cannot open a connection to one parent, or to any; the other way round it may be. */
function cut(stage: Stage, way: 'one way' | 'both ways'): void {
  const { sim, random } = stage;
  const child = stage.pick(stage.wanting);
  const others = sim.hosts.filter((host) => host !== child);
  const near = stage.holders.length > 0 ? stage.holders : others;
  const parents = random.chance(0.5) ? others : [stage.pick(near)];
  const sever = (isSevered: boolean) => () => {
    for (const parent of parents) {
      const ends: [SimHost, SimHost] = [child, parent];
      sim.network.sever(ends[0].name, ends[1].name, isSevered);
      if (way === 'both ways') sim.network.sever(ends[1].name, ends[0].name, isSevered);
    }
  };
  stage.spell(sever(true), sever(false));
}
