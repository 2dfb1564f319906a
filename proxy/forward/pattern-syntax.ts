import { ShoalError } from '../../core/errors.ts';

/** Which of the first 128 characters a step takes, and whether it takes all others. */
export interface CharSet {
  readonly ascii: Uint8Array;
  readonly others: boolean;
}

/** A parsed pattern. */
export type PatternNode =
  | { readonly kind: 'chars'; readonly set: CharSet }
  | { readonly kind: 'edge'; readonly at: 'start' | 'end' }
  | { readonly kind: 'all'; readonly parts: readonly PatternNode[] }
  | { readonly kind: 'either'; readonly parts: readonly PatternNode[] }
  | { readonly kind: 'repeat'; readonly part: PatternNode; readonly min: number; readonly max: number };

const MAX_TEXT = 1024;
const MAX_DEPTH = 32;
const MAX_COUNT = 256;
const CLASSES: Readonly<Record<string, string>> = { d: '0-9', w: 'A-Za-z0-9_', s: ' \t\r\n\f\v' };
const CONTROLS: Readonly<Record<string, string>> = { t: '\t', n: '\n', r: '\r', f: '\f', v: '\v' };

/**
 * Parses the part of regular expressions that can be matched in linear time: no back-references, no lookaround, no
 * word boundaries.
 * @throws ERR_CONFIG_INVALID
 */
export function parsePattern(text: string): PatternNode {
  if (text.length > MAX_TEXT) throw wrong(text.slice(0, 40), `is longer than ${MAX_TEXT} characters`);
  return new Parser(text).whole();
}

function wrong(text: string, what: string): ShoalError {
  return new ShoalError('ERR_CONFIG_INVALID', `the pattern ${JSON.stringify(text)} ${what}`);
}

class Parser {
  readonly #text: string;
  #at = 0;
  #depth = 0;

  constructor(text: string) {
    this.#text = text;
  }

  whole(): PatternNode {
    const node = this.#either();
    if (this.#at < this.#text.length) throw this.#wrong('has a ) too many');
    return node;
  }

  #wrong(what: string): ShoalError {
    return wrong(this.#text, `${what}, at character ${this.#at + 1}`);
  }

  #take(text: string): boolean {
    if (!this.#text.startsWith(text, this.#at)) return false;
    this.#at += text.length;
    return true;
  }

  #next(): string {
    const char = this.#text[this.#at];
    if (char === undefined) throw this.#wrong('ends too early');
    this.#at += 1;
    return char;
  }

  #either(): PatternNode {
    this.#depth += 1;
    if (this.#depth > MAX_DEPTH) throw this.#wrong('is nested too deep');
    const parts = [this.#all()];
    while (this.#take('|')) parts.push(this.#all());
    this.#depth -= 1;
    return parts.length === 1 && parts[0] !== undefined ? parts[0] : { kind: 'either', parts };
  }

  #all(): PatternNode {
    const parts: PatternNode[] = [];
    while (this.#at < this.#text.length && !['|', ')'].includes(this.#text[this.#at] ?? '')) {
      parts.push(this.#repeated(this.#one()));
    }
    return { kind: 'all', parts };
  }

  #repeated(part: PatternNode): PatternNode {
    const count = this.#count();
    if (count === undefined) return part;
    if (part.kind === 'edge') throw this.#wrong('repeats an anchor');
    // Which of the matches is taken makes no difference to whether there is one.
    this.#take('?');
    if (this.#count() !== undefined) throw this.#wrong('repeats a repetition');
    return { kind: 'repeat', part, ...count };
  }

  #count(): { min: number; max: number } | undefined {
    if (this.#take('*')) return { min: 0, max: Number.POSITIVE_INFINITY };
    if (this.#take('+')) return { min: 1, max: Number.POSITIVE_INFINITY };
    if (this.#take('?')) return { min: 0, max: 1 };
    const found = /^\{(\d{1,4})(,(\d{1,4})?)?\}/.exec(this.#text.slice(this.#at, this.#at + 12));
    if (found === null) return undefined;
    this.#at += found[0].length;
    const min = Number(found[1]);
    const max = found[2] === undefined ? min : Number(found[3] ?? Number.POSITIVE_INFINITY);
    if (min > max) throw this.#wrong('has a repetition with its bounds the wrong way round');
    if (min > MAX_COUNT || (Number.isFinite(max) && max > MAX_COUNT))
      throw this.#wrong(`repeats more than ${MAX_COUNT} times`);
    return { min, max };
  }

  #one(): PatternNode {
    const char = this.#next();
    if (char === '(') return this.#group();
    if (char === '[') return { kind: 'chars', set: this.#set() };
    if (char === '^') return { kind: 'edge', at: 'start' };
    if (char === '$') return { kind: 'edge', at: 'end' };
    if (char === '.') return { kind: 'chars', set: charSet('\n\r', true) };
    if (char === '\\') return { kind: 'chars', set: this.#escape() };
    if ('*+?{}'.includes(char)) throw this.#wrong(`has a ${char} that repeats nothing; write \\${char}`);
    return { kind: 'chars', set: charSet(char, false) };
  }

  #group(): PatternNode {
    if (this.#take('?') && !this.#take(':')) throw this.#wrong('has a group other than (…) and (?:…)');
    const inner = this.#either();
    if (!this.#take(')')) throw this.#wrong('lacks a )');
    return inner;
  }

  #escape(): CharSet {
    const char = this.#next();
    const known = CLASSES[char.toLowerCase()];
    if (known !== undefined) return charSet(known, char !== char.toLowerCase(), true);
    const control = CONTROLS[char];
    if (control !== undefined) return charSet(control, false);
    if (/[A-Za-z0-9]/.test(char)) throw this.#wrong(`has the escape \\${char}, which is not known here`);
    return charSet(char, false);
  }

  #set(): CharSet {
    const negated = this.#take('^');
    const ascii = new Uint8Array(128);
    let others = false;
    for (let first = true; !this.#take(']'); first = false) {
      const char = this.#next();
      if (char === '[' && this.#text[this.#at] === ':') throw this.#wrong('has a POSIX class');
      if (first && char === '-') ascii[45] = 1;
      else others = this.#member(char, ascii) || others;
    }
    return negated ? inverted({ ascii, others }) : { ascii, others };
  }

  /** Adds a character, a range or a class. Returns whether it has characters that are not ASCII. */
  #member(char: string, ascii: Uint8Array): boolean {
    if (char === '\\') {
      const set = this.#escape();
      for (let code = 0; code < 128; code += 1) ascii[code] = (ascii[code] ?? 0) | (set.ascii[code] ?? 0);
      return set.others;
    }
    const from = char.charCodeAt(0);
    if (from > 127) return true;
    const to = this.#rangeEnd() ?? from;
    if (to < from) throw this.#wrong('has a range the wrong way round');
    for (let code = from; code <= Math.min(to, 127); code += 1) ascii[code] = 1;
    return to > 127;
  }

  #rangeEnd(): number | undefined {
    if (this.#text[this.#at] !== '-' || [']', undefined].includes(this.#text[this.#at + 1])) return undefined;
    this.#at += 1;
    const end = this.#next();
    return (end === '\\' ? this.#next() : end).charCodeAt(0);
  }
}

function inverted({ ascii, others }: CharSet): CharSet {
  return { ascii: ascii.map((taken) => 1 - taken), others: !others };
}

/** The characters of `text`, or all but these; with `ranges`, `a-z` stands for all between. */
function charSet(text: string, negated: boolean, ranges = false): CharSet {
  const ascii = new Uint8Array(128);
  let others = false;
  for (let index = 0; index < text.length; index += 1) {
    const from = text.charCodeAt(index);
    const isRange = ranges && text[index + 1] === '-';
    const to = isRange ? text.charCodeAt(index + 2) : from;
    if (isRange) index += 2;
    for (let code = from; code <= Math.min(to, 127); code += 1) ascii[code] = 1;
    if (to > 127) others = true;
  }
  return negated ? inverted({ ascii, others }) : { ascii, others };
}
