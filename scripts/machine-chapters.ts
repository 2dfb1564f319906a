import type { AnyStateMachine } from 'xstate';
import { hostMachine } from '../machines/host/host.ts';
import { peerMachine } from '../machines/host/peer.ts';
import { pieceMachine } from '../machines/host/piece.ts';
import { jobMachine } from '../machines/scheduler/job.ts';
import { partitionMachine } from '../machines/scheduler/partition.ts';
import { resourceMachine } from '../machines/scheduler/resource.ts';
import { schedulerMachine } from '../machines/scheduler/scheduler.ts';
import { taskMachine } from '../machines/scheduler/task.ts';

/** What the page of a machine says of it. */
export interface Chapter {
  /** The folder of `machines/`, `actors/` and `test/machines/` that it lies in. */
  readonly home: 'host' | 'scheduler';
  /** Below `actors/`, where it is not the folder of the same name. */
  readonly effects?: string;
  readonly machine: AnyStateMachine;
  /** Where its effects are below `home`, where that is not named like it. */
  readonly folder?: string;
  readonly about: string;
  /** One sentence for each state, by its path. */
  readonly states: Readonly<Record<string, string>>;
}

/** Every machine that has a page, by its name. */
export const CHAPTERS: Readonly<Record<string, Chapter>> = {
  host: {
    home: 'host',
    machine: hostMachine,
    about: 'A host’s membership of the swarm, on the host.',
    states: {
      working: 'What it does until it leaves: four things side by side.',
      'working.membership': 'Whether the swarm knows it.',
      'working.membership.connecting':
        'No scheduler has accepted it yet; it announces itself as soon as NATS is there, then again and again.',
      'working.membership.announced':
        'It has a membership token, scheduler keys and an address book, and tells what it holds.',
      'working.membership.isolated':
        'NATS is out of reach; downloads go on with what is known, and the address book is kept.',
      'working.announcement': 'When it announces itself.',
      'working.announcement.resting': 'NATS was not there yet.',
      'working.announcement.asking': 'A scheduler was asked for a token, its keys and the address book.',
      'working.announcement.accepted': 'It has them; it asks again at half the token’s life, or sooner.',
      'working.announcement.unanswered': 'Nobody answered; it asks again soon.',
      'working.holdings': 'Whether the schedulers are to hear what it holds.',
      'working.holdings.told': 'They have heard all; what is evicted they are told at once.',
      'working.holdings.untold': 'One was born, or accepted this host: in a moment they are told all.',
      'working.life': 'That it lives.',
      'working.life.beating': 'It says so, and how it is, every second, less often in a large swarm.',
      stopped: 'It has left: no word of the swarm reaches it.',
    },
  },
  peer: {
    home: 'host',
    machine: peerMachine,
    about: 'One host’s part in one task, on the host, from what is on disk to a while after the last client.',
    states: {
      opening: 'It takes up what is on disk, and the origin’s answer where one is open already.',
      fetching:
        'Pieces are missing. Whether a scheduler answers, and whether the origin is probed, are two things.',
      'fetching.swarm': 'Who says whom to fetch from.',
      'fetching.swarm.joining':
        'It has asked the scheduler and waits for the first answer, or begins anew after a whole that was wrong.',
      'fetching.swarm.transferring': 'The scheduler answers; the pieces it leased are fetched.',
      'fetching.swarm.starved':
        'A scheduler answers, and nothing comes: beside what it leases, it fetches from the hosts it knows, then from the origin.',
      'fetching.swarm.adrift':
        'No scheduler answers: it fetches from the hosts it knows, then from the origin. Without a swarm, always.',
      'fetching.origin': 'What it learns from the origin.',
      'fetching.origin.resting': 'The length is known, or nobody has asked to read it.',
      'fetching.origin.probing':
        'The origin’s first bytes are read, to learn the length; what comes is used.',
      verifying: 'Every piece is there; nobody is told yet.',
      'verifying.comparing': 'The whole is hashed in order and compared with the digest, where there is one.',
      'verifying.contradicted': 'The whole is not what the digest says.',
      'verifying.contradicted.waiting': 'Every sync says so, until the scheduler names pieces to read again.',
      'verifying.contradicted.sampling':
        'They are read again, to tell a reader that lied from a wrong source.',
      'verifying.sealing': 'The disk notes that all is there and right, so that a restart says so too.',
      serving:
        'The content is complete and given to whoever asks; a task that fails elsewhere does not touch it.',
      'serving.busy': 'A client of this host reads it, or waits for it.',
      'serving.idle': 'No client is left; other hosts are served as before.',
      failing:
        'There is no way to the content: everyone who waits was told why. Transfers end, wrong content goes.',
      leaving: 'Nobody waits for the content, or the host is draining: transfers end, the scheduler is told.',
      failed: 'It has ended, and nothing of it runs.',
      left: 'It has ended; what is on disk stays.',
    },
  },
  piece: {
    home: 'host',
    machine: pieceMachine,
    about: 'The pieces of one lease on their way to a host, from lease to verdict.',
    states: {
      queued: 'It waits for a slot, for hashes, or until what it overlaps has ended.',
      opened: 'The origin’s answer is open already and waits unread for a slot.',
      running: 'Bytes are written in their place; each piece is recorded when its hash is right.',
      hedged: 'As running; one of its pieces is fetched from another parent too.',
      held: 'A hedge: its bytes are held in memory until they have proven right.',
      seizing: 'A hedge that has proven right: it writes when the late one writes no more.',
      seized:
        'Taken back, and nobody is blamed: by a faster hedge, a piece that came, a withdrawn hash, or the end of all.',
      refused: 'A piece of it was wrong or could not be recorded; its transfer was aborted.',
      stored: 'Its transfer brought all that it was to bring.',
      failed: 'The scheduler is told why; what did not come is fetched elsewhere.',
      dropped: 'It ended without a verdict; what is still missing is leased anew.',
    },
  },
  job: {
    home: 'scheduler',
    machine: jobMachine,
    about: 'One job at the scheduler that works on it. Where that dies, another begins at the top.',
    states: {
      beginning: 'The store is asked whether anything is left to do, and told who does it.',
      resolving: 'A host looks up what the images are, by digest, and what they are made of.',
      choosing: 'The hosts that are meant are chosen, and written down before they are told.',
      working: 'The hosts are told, and asked how far they are; that is written down every second.',
      settling: 'How it ended is written down. A pin goes on, and is called again.',
      failing: 'Why it cannot be is written down.',
      halting: 'Every host is told that it is over; then that is written down.',
      ended: 'Nothing is left to do: the queue forgets it, until it is called again.',
      left: 'Another works on it, or the store is out of reach: the queue gives it again.',
    },
  },
  partition: {
    home: 'scheduler',
    machine: partitionMachine,
    folder: 'group',
    about: 'One partition, as one scheduler of the group sees it.',
    states: {
      lost: 'Another scheduler owns it, or nobody does.',
      claiming: 'It falls to this scheduler, which takes it by compare-and-set.',
      owned: 'Only this scheduler answers what hosts ask in it.',
      'owned.recovering':
        'The log is read and the hosts tell what they hold: leases from hosts are given, none of the origin.',
      'owned.serving': 'All leases are given.',
      'owned.releasing': 'It falls to another scheduler, and is served until that one has taken it.',
    },
  },
  scheduler: {
    home: 'scheduler',
    machine: schedulerMachine,
    folder: 'group',
    about: 'One scheduler, as a member of its group.',
    states: {
      present: 'It lives.',
      'present.heart': 'Whether the others can tell.',
      'present.heart.claiming':
        'It has no heartbeat in the store, or cannot renew it in time: it grants nothing.',
      'present.heart.claiming.asking': 'It puts its heartbeat, and reads who owns what.',
      'present.heart.claiming.waiting': 'The store did not answer; it asks again soon.',
      'present.heart.serving':
        'Its heartbeat is renewed; it may grant what it owns until a term after the last.',
      'present.heart.serving.resting': 'Until the next renewal.',
      'present.heart.serving.renewing': 'It puts its heartbeat again.',
      'present.heart.serving.unrenewed': 'The store did not answer; it tries again before the term ends.',
      'present.heart.unguided': 'There is no store: who owns what follows from presence alone.',
      'present.heart.unguided.waiting': 'Until the next look.',
      'present.heart.unguided.asking': 'It looks whether there is a store again.',
      'present.stay': 'Whether it is to end.',
      'present.stay.staying': 'It is not.',
      'present.stay.releasing': 'It serves until others have taken what it owns, though not for long.',
      left: 'It owns nothing, and its heartbeat is removed: others need not wait for its term.',
    },
  },
  resource: {
    home: 'scheduler',
    effects: 'resource.ts',
    machine: resourceMachine,
    about:
      'What one URL points to, in the scheduler that owns its partition; for those who ask for themselves, in their host.',
    states: {
      word: 'What the origin said.',
      'word.unknown': 'Nobody has asked the origin yet.',
      'word.known':
        'It named the content; that answers whoever waited for the flight that brought it. What the log tells of it answers nobody: it goes along with who asks next.',
      'word.broken': 'It was read in one stream, which broke off: that content is not pointed to again.',
      flight: 'Whether a host asks the origin now; it answers all who asked before it left.',
      'flight.landed': 'Nobody does: the next who asks is sent.',
      'flight.asking': 'One host does, and all others wait; after a while it is given up.',
    },
  },
  task: {
    home: 'scheduler',
    machine: taskMachine,
    about: 'One task, in the scheduler that owns its partition.',
    states: {
      recovering: 'What the log has of it is being read; syncs wait.',
      alive: 'Hosts may work on it.',
      'alive.content': 'What is known of its content.',
      'alive.content.unknown': 'Its piece length is not known.',
      'alive.content.unknown.pending':
        'Nobody has been asked for the length, or whoever was did not tell it.',
      'alive.content.unknown.resolving':
        'A host was asked to read the origin’s first bytes, to learn the length.',
      'alive.content.unknown.idle': 'No host works on it; it ends after a while.',
      'alive.content.known': 'It is known how it is cut into pieces.',
      'alive.content.known.distributing': 'Hosts work on it and get leases.',
      'alive.content.known.idle':
        'No host works on it; its hashes are in the log, and it ends after a while.',
      'alive.digest': 'Whether the whole is what the digest says.',
      'alive.digest.believed': 'Nobody said otherwise.',
      'alive.digest.doubted': 'A host has the whole, and it contradicts the digest.',
      'alive.digest.doubted.sampling': 'That host, or another, reads some pieces from the source again.',
      'alive.digest.doubted.overdue':
        'It takes too long: whoever says the same next is asked instead, if the answer does not come first.',
      failed:
        'No source agrees with its digest, or the origin replaced the content; whoever asks is told why, for a while.',
      retired: 'The scheduler forgot all but the log and who holds it.',
      ceded: 'Another scheduler owns its partition: nothing of it is said or written here any more.',
    },
  },
};
