import { mkdir, readdir, readFile, writeFile } from 'node:fs/promises';
import { pathToFileURL } from 'node:url';
import type { AnyStateMachine } from 'xstate';
import { type DirectedGraphNode, toDirectedGraph } from 'xstate/graph';

import { CHAPTERS, type Chapter } from './machine-chapters.ts';

const FOLDER = new URL('../docs/machines/', import.meta.url);

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
