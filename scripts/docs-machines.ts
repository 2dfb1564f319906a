import { mkdir, readdir, readFile, writeFile } from 'node:fs/promises';
import { pathToFileURL } from 'node:url';
import type { AnyStateMachine } from 'xstate';
import { type DirectedGraphNode, toDirectedGraph } from 'xstate/graph';
import { hostMachine } from '../machines/host/host.ts';
import { peerMachine } from '../machines/host/peer.ts';
import { pieceMachine } from '../machines/host/piece.ts';
import { partitionMachine } from '../machines/scheduler/partition.ts';
import { resourceMachine } from '../machines/scheduler/resource.ts';
import { schedulerMachine } from '../machines/scheduler/scheduler.ts';
import { taskMachine } from '../machines/scheduler/task.ts';

const FOLDER = new URL('../docs/machines/', import.meta.url);

interface Chapter {
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

const CHAPTERS: Readonly<Record<string, Chapter>> = {
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

type Edge = DirectedGraphNode['edges'][number];

function actionsOf(actions: readonly unknown[]): string[] {
  return actions.flatMap((action) => {
    if (typeof action === 'string') return [action];
    const type = (action as { type?: unknown }).type;
    return typeof type === 'string' && !type.startsWith('xstate.') ? [type] : [];
  });
}

function guardOf(edge: Edge): string {
  const { guard } = edge.transition;
  const name = typeof guard === 'string' ? guard : (guard as { type?: string } | undefined)?.type;
  return name === undefined ? '' : ` [${name}]`;
}

/** The name of an event; a time that passes in a state is named by its delay, the end of what it runs by how. */
function eventOf({ label: { text } }: Edge): string {
  if (text === '') return 'at once';
  if (text === '*') return 'all else';
  const [, kind, delay] = /^xstate\.(after|done|error)\.([^.]+)/.exec(text) ?? [];
  return kind === 'after' ? `after ${delay}` : (kind ?? text);
}

/** Mermaid ends a label at a colon or semicolon; none of our names has one. */
function label(edge: Edge): string {
  const did = actionsOf(edge.transition.actions);
  return `${eventOf(edge)}${guardOf(edge)}${did.length > 0 ? ` / ${did.join(', ')}` : ''}`;
}

/** Transitions that change state or do something; the rest are declarations that an event is ignored. */
function counts(edge: Edge): boolean {
  return edge.transition.target !== undefined || actionsOf(edge.transition.actions).length > 0;
}

type StateNode = DirectedGraphNode['stateNode'];

/** A state below its machine, as `alive.content.known`. */
function pathOf({ path }: StateNode): string {
  return path.join('.');
}

/** A name that Mermaid takes, and that no other state of the machine has. */
function idOf({ path }: StateNode): string {
  return path.join('_');
}

function isWithin(node: StateNode, outer: StateNode): boolean {
  return node === outer || (node.parent !== undefined && isWithin(node.parent, outer));
}

/** A state as a line from another one leads to it: Mermaid draws none into a box, but to the box. */
function seenFrom(from: StateNode, to: StateNode): { readonly id: string; readonly note: string } {
  let seen = to;
  while (seen.parent?.parent && !isWithin(from, seen.parent)) seen = seen.parent;
  return { id: idOf(seen), note: seen === to ? '' : ` (${to.key})` };
}

/** The transitions of one state. */
function edgeLines({ stateNode, edges }: DirectedGraphNode): string[] {
  const id = idOf(stateNode);
  const always = (stateNode.always ?? []).map(({ target, guard, actions }) => {
    const edge = { label: { text: '' }, transition: { guard, actions, target } } as unknown as Edge;
    return `  ${id} --> ${target?.[0] === undefined ? id : idOf(target[0])} : ${label(edge)}`;
  });
  const lines = edges
    .filter(({ transition }) => transition.eventType !== '')
    .filter(counts)
    .map((edge) => {
      const to = seenFrom(stateNode, edge.target);
      return `  ${id} --> ${to.id} : ${label(edge)}${to.note}`;
    });
  return [...lines, ...always, ...(stateNode.type === 'final' ? [`  ${id} --> [*]`] : [])];
}

/** The states in a state; those that hold at the same time with a line between. */
function sideBySide({ type }: StateNode, inside: readonly string[][], indent: string): string[] {
  return inside.flatMap((lines, at) => (type === 'parallel' && at > 0 ? [`${indent}--`, ...lines] : lines));
}

/** A state that holds others, and these; the regions of a parallel one stand side by side. */
function nestedLines(node: DirectedGraphNode, indent: string): string[] {
  const { stateNode, children } = node;
  const id = idOf(stateNode);
  const name = id === stateNode.key ? id : `"${stateNode.key}" as ${id}`;
  if (children.length === 0) return name === id ? [] : [`${indent}state ${name}`];
  const first = stateNode.type === 'parallel' ? undefined : stateNode.initial.target[0];
  const inside = children.map((child) => nestedLines(child, `${indent}  `));
  return [
    `${indent}state ${name} {`,
    ...(first === undefined ? [] : [`${indent}  [*] --> ${idOf(first)}`]),
    ...sideBySide(stateNode, inside, `${indent}  `),
    `${indent}}`,
  ];
}

function* nodesBelow(node: DirectedGraphNode): Generator<DirectedGraphNode> {
  for (const child of node.children) {
    yield child;
    yield* nodesBelow(child);
  }
}

/** A machine as a Mermaid diagram; what holds in every state leaves from a state that stands for any. */
function diagram(machine: AnyStateMachine): string {
  const root = toDirectedGraph(machine);
  const anywhere = root.edges
    .filter(counts)
    .map((edge) => `  any --> ${edge.target.id === root.id ? 'any' : idOf(edge.target)} : ${label(edge)}`);
  const first = machine.root.type === 'parallel' ? undefined : machine.root.initial.target[0];
  return [
    'stateDiagram-v2',
    ...(anywhere.length > 0 ? ['  state "any state" as any'] : []),
    ...(first === undefined ? [] : [`  [*] --> ${idOf(first)}`]),
    ...root.children.flatMap((child) => nestedLines(child, '  ')),
    ...[...nodesBelow(root)].flatMap(edgeLines),
    ...anywhere,
  ].join('\n');
}

function ignoredIn(node: DirectedGraphNode): string {
  return node.edges
    .filter((edge) => !counts(edge))
    .map((edge) => `\`${eventOf(edge)}${guardOf(edge)}\``)
    .join(' ');
}

function row(node: DirectedGraphNode, about: string | undefined): string {
  const { entry, exit, invoke } = node.stateNode;
  const list = (names: readonly string[]) => names.map((name) => `\`${name}\``).join(' ');
  const name = `**${pathOf(node.stateNode)}**`;
  const runs = list(invoke.map(({ src }) => String(src)));
  const did = [runs, list(actionsOf(entry)), list(actionsOf(exit)), ignoredIn(node)];
  return `| ${[name, about ?? '', ...did].join(' | ')} |`;
}

/** Every page, by file name. */
export function machinePages(): Map<string, string> {
  return new Map(Object.entries(CHAPTERS).map(([name, chapter]) => [`${name}.md`, page(name, chapter)]));
}

/** States that no sentence describes, and sentences about no state, as `machine.state`. */
export function undescribedStates(): string[] {
  return Object.entries(CHAPTERS).flatMap(([name, { machine, states }]) => {
    const known = new Set(
      [...nodesBelow(toDirectedGraph(machine))].map(({ stateNode }) => pathOf(stateNode)),
    );
    const named = new Set([...known, ...Object.keys(states)]);
    return [...named].filter((path) => !known.has(path) || !states[path]).map((path) => `${name}.${path}`);
  });
}

function page(name: string, { home, effects, folder = name, machine, about, states }: Chapter): string {
  return `# The ${name} machine

Made by \`npx tsx scripts/docs-machines.ts --write\` from \`machines/${home}/${name}.ts\`; a test keeps it in step.

${about} Its effects are in \`actors/${effects ?? `${home}/${folder === home ? '' : `${folder}/`}`}\`.

\`\`\`mermaid
${diagram(machine)}
\`\`\`

What leaves from *any state* holds in every one that does not say otherwise. An event that a state neither handles nor
declares ignored does nothing there; \`test/machines/${home}/${name}.test.ts\` lists them all.

| state | what it means | runs | on entry | on exit | declared ignored |
| --- | --- | --- | --- | --- | --- |
${[...nodesBelow(toDirectedGraph(machine))].map((node) => row(node, states[pathOf(node.stateNode)])).join('\n')}
`;
}

async function write(): Promise<void> {
  await mkdir(FOLDER, { recursive: true });
  for (const [file, text] of machinePages()) await writeFile(new URL(file, FOLDER), text);
}

/** Files that are missing, out of step, or of no machine. */
export async function stalePages(): Promise<string[]> {
  const pages = machinePages();
  const found = await readdir(FOLDER).catch(() => []);
  const stale = found.filter((file) => !pages.has(file));
  for (const [file, text] of pages) {
    if ((await readFile(new URL(file, FOLDER), 'utf8').catch(() => '')) !== text) stale.push(file);
  }
  return stale.sort();
}

if (process.argv[1] !== undefined && import.meta.url === pathToFileURL(process.argv[1]).href) {
  if (process.argv.includes('--write')) await write();
  else {
    for (const file of await stalePages()) {
      console.error(`docs/machines/${file} is out of step: npx tsx scripts/docs-machines.ts --write`);
      process.exitCode = 1;
    }
  }
}
