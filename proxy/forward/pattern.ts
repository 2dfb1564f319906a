import { ShoalError } from '../../core/errors.ts';
import { type CharSet, type PatternNode, parsePattern } from './pattern-syntax.ts';

/** A regular expression that is tested in time linear in the text, whatever the expression. */
export interface Pattern {
  test(text: string): boolean;
}

/** A step of the machine: takes a character, forks, or asks where it stands. */
type Step =
  | { readonly op: 'take'; readonly set: CharSet }
  | { op: 'fork'; first: number; second: number }
  | { op: 'jump'; to: number }
  | { readonly op: 'edge'; readonly at: 'start' | 'end' }
  | { readonly op: 'match' };

const MAX_STEPS = 4096;

/**
 * Compiles a regular expression. It is run as a set of states side by side (K. Thompson, CACM 11(6), 1968), never by
 * going back, so that no expression and no text takes more than steps × characters.
 * @throws ERR_CONFIG_INVALID
 */
export function compilePattern(text: string): Pattern {
  const steps: Step[] = [];
  emit(parsePattern(text), steps, text);
  steps.push({ op: 'match' });
  return { test: (subject) => run(steps, subject) };
}

/** A glob whose `*` stands for any characters, as a pattern of the whole text. @throws ERR_CONFIG_INVALID */
export function compileGlob(glob: string): Pattern {
  const escaped = glob.replace(/[^A-Za-z0-9*]/g, (char) => `\\${char}`).replaceAll(/\*+/g, '.*');
  return compilePattern(`^${escaped}$`);
}

function emit(node: PatternNode, steps: Step[], text: string): void {
  if (steps.length > MAX_STEPS) {
    throw new ShoalError('ERR_CONFIG_INVALID', `the pattern ${JSON.stringify(text)} is too large`);
  }
  if (node.kind === 'chars') steps.push({ op: 'take', set: node.set });
  else if (node.kind === 'edge') steps.push({ op: 'edge', at: node.at });
  else if (node.kind === 'all') for (const part of node.parts) emit(part, steps, text);
  else if (node.kind === 'either') emitEither(node.parts, steps, text);
  else emitRepeat(node, steps, text);
}

function emitEither(parts: readonly PatternNode[], steps: Step[], text: string): void {
  const jumps: Extract<Step, { op: 'jump' }>[] = [];
  for (const [index, part] of parts.entries()) {
    if (index === parts.length - 1) {
      emit(part, steps, text);
      break;
    }
    const fork: Extract<Step, { op: 'fork' }> = { op: 'fork', first: steps.length + 1, second: 0 };
    steps.push(fork);
    emit(part, steps, text);
    const jump: Extract<Step, { op: 'jump' }> = { op: 'jump', to: 0 };
    steps.push(jump);
    jumps.push(jump);
    fork.second = steps.length;
  }
  for (const jump of jumps) jump.to = steps.length;
}

function emitRepeat(node: Extract<PatternNode, { kind: 'repeat' }>, steps: Step[], text: string): void {
  for (let count = 0; count < node.min; count += 1) {
    const before = steps.length;
    emit(node.part, steps, text);
    // Nothing, however often, is nothing.
    if (steps.length === before) return;
  }
  if (Number.isFinite(node.max)) {
    const forks: Extract<Step, { op: 'fork' }>[] = [];
    for (let count = node.min; count < node.max; count += 1) {
      const fork: Extract<Step, { op: 'fork' }> = { op: 'fork', first: steps.length + 1, second: 0 };
      steps.push(fork);
      forks.push(fork);
      emit(node.part, steps, text);
    }
    for (const fork of forks) fork.second = steps.length;
    return;
  }
  const fork: Extract<Step, { op: 'fork' }> = { op: 'fork', first: steps.length + 1, second: 0 };
  const top = steps.length;
  steps.push(fork);
  emit(node.part, steps, text);
  steps.push({ op: 'jump', to: top });
  fork.second = steps.length;
}

function run(steps: readonly Step[], text: string): boolean {
  const seen = new Int32Array(steps.length).fill(-1);
  const [first] = steps;
  const anchored = first?.op === 'edge' && first.at === 'start';
  let now: number[] = [];
  for (let at = 0; at <= text.length; at += 1) {
    const next: number[] = [];
    // A match may begin anywhere: `^` says where it may not.
    if (follow(steps, [...now, 0], at, text.length, seen, next)) return true;
    if (next.length === 0 && anchored) return false;
    const code = text.charCodeAt(at);
    now = next.filter((index) => takes(steps[index], code)).map((index) => index + 1);
  }
  return false;
}

/** Collects the steps that take a character; true where the match is reached. */
function follow(
  steps: readonly Step[],
  from: number[],
  at: number,
  length: number,
  seen: Int32Array,
  taking: number[],
): boolean {
  const stack = from;
  for (let index = stack.pop(); index !== undefined; index = stack.pop()) {
    if (seen[index] === at) continue;
    seen[index] = at;
    const step = steps[index];
    if (step === undefined) continue;
    if (step.op === 'match') return true;
    if (step.op === 'take') taking.push(index);
    else if (step.op === 'jump') stack.push(step.to);
    else if (step.op === 'fork') stack.push(step.second, step.first);
    else if (at === (step.at === 'start' ? 0 : length)) stack.push(index + 1);
  }
  return false;
}

function takes(step: Step | undefined, code: number): boolean {
  if (step?.op !== 'take') return false;
  return code < 128 ? step.set.ascii[code] === 1 : step.set.others && !Number.isNaN(code);
}
