/** One challenge of a `WWW-Authenticate` header. */
export interface Challenge {
  /** In small letters. */
  readonly scheme: string;
  /** By name in small letters; empty where the scheme has a token68 or nothing. */
  readonly params: ReadonlyMap<string, string>;
}

const LONGEST_HEADER = 16 * 1024;
const MOST_CHALLENGES = 16;
const MOST_PARAMS = 32;

const TOKEN = /[!#$%&'*+\-.^_`|~0-9A-Za-z]+/y;
const TOKEN68 = /[A-Za-z0-9\-._~+/]+=*(?=[ \t]*(?:,|$))/y;
const PARAM =
  /([!#$%&'*+\-.^_`|~0-9A-Za-z]+)[ \t]*=[ \t]*(?:"((?:[^"\\]|\\.)*)"|([!#$%&'*+\-.^_`|~0-9A-Za-z]+))/sy;
const BLANKS = /[ \t]*/y;
const COMMAS = /[ \t]*(?:,[ \t]*)*/y;

/**
 * The challenges of a header, several fields of that name joined by commas. What follows the first mistake is left
 * out, as is a challenge that says one thing twice.
 * @see RFC 9110 §11.3, §11.6.1
 */
export function parseChallenges(header: string): Challenge[] {
  const challenges: Challenge[] = [];
  if (header.length > LONGEST_HEADER) return challenges;
  const scan = new Scanner(header);
  scan.take(COMMAS);
  while (!scan.ended && challenges.length < MOST_CHALLENGES) {
    const scheme = scan.take(TOKEN)?.[0].toLowerCase();
    if (scheme === undefined) break;
    const parted = (scan.take(BLANKS)?.[0].length ?? 0) > 0;
    const params = parted ? paramsOf(scan) : new Map<string, string>();
    if (!scan.parted) scan.take(COMMAS);
    if (!scan.ended && !scan.parted) break;
    if (params !== undefined) challenges.push({ scheme, params });
  }
  return challenges;
}

/** Undefined where a name comes twice, or too many come. */
function paramsOf(scan: Scanner): Map<string, string> | undefined {
  const params = new Map<string, string>();
  let sound = true;
  for (let count = 0; ; count += 1) {
    const param = scan.take(PARAM);
    if (param === undefined) break;
    const [, name = '', quoted, plain = ''] = param;
    const key = name.toLowerCase();
    sound &&= !params.has(key) && count < MOST_PARAMS;
    params.set(key, quoted === undefined ? plain : quoted.replace(/\\(.)/gs, '$1'));
    scan.take(COMMAS);
    if (!scan.ended && !scan.parted) break;
  }
  if (params.size === 0) scan.take(TOKEN68);
  return sound ? params : undefined;
}

/** Reads a text piece by piece. */
class Scanner {
  readonly #text: string;
  #at = 0;
  #parted = false;

  constructor(text: string) {
    this.#text = text;
  }

  get ended(): boolean {
    return this.#at >= this.#text.length;
  }

  /** Whether a comma was the last that was taken. */
  get parted(): boolean {
    return this.#parted;
  }

  /** What the sticky pattern matches here; undefined, and no step ahead, where it does not. */
  take(pattern: RegExp): RegExpExecArray | undefined {
    pattern.lastIndex = this.#at;
    const match = pattern.exec(this.#text);
    if (match === null) return undefined;
    this.#at += match[0].length;
    if (match[0].length > 0) this.#parted = match[0].includes(',') && pattern === COMMAS;
    return match;
  }
}
