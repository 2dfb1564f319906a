import { ShoalError } from '../core/errors.ts';
import type { Tokens } from './bus.ts';

const TOKEN = /^[A-Za-z0-9_-]{1,200}$/;
const VARIABLE = /^\{([A-Za-z]+)\}$/;

/** Whether the text can stand as one token of a subject. */
export function isToken(text: string): boolean {
  return TOKEN.test(text);
}

/** @throws ERR_BUS_MESSAGE_INVALID */
export function checkToken(name: string, text: string | undefined): string {
  if (text !== undefined && isToken(text)) return text;
  throw new ShoalError(
    'ERR_BUS_MESSAGE_INVALID',
    `not a subject token for ${name}: ${JSON.stringify(text?.slice(0, 200))}`,
  );
}

/** The prefix of every subject of a swarm. @throws ERR_CONFIG_INVALID */
export function swarmPrefix(swarm: string): string {
  if (isToken(swarm)) return `${swarm}.v1.`;
  throw new ShoalError(
    'ERR_CONFIG_INVALID',
    `not a swarm name: ${JSON.stringify(swarm.slice(0, 200))}; letters, digits, - and _ only`,
  );
}

/** Builds and reads the concrete subjects of one template; only ever made of checked tokens. */
export class Address<T extends Tokens = Tokens> {
  readonly #parts: readonly { readonly text: string; readonly variable: boolean }[];

  /** @param swarm name of the swarm. @throws ERR_CONFIG_INVALID, ERR_BUS_MESSAGE_INVALID (a malformed template) */
  constructor(swarm: string, template: string) {
    const names = template.split('.').map((part) => {
      const name = VARIABLE.exec(part)?.[1];
      return name === undefined
        ? { text: checkToken(template, part), variable: false }
        : { text: name, variable: true };
    });
    const prefix = swarmPrefix(swarm).slice(0, -1).split('.');
    this.#parts = [...prefix.map((text) => ({ text, variable: false })), ...names];
  }

  /** The subject for these tokens. @throws ERR_BUS_MESSAGE_INVALID */
  subject(tokens: T): string {
    let subject = '';
    for (const { text, variable } of this.#parts) {
      const token = variable ? checkToken(text, own(tokens, text)) : text;
      subject += subject === '' ? token : `.${token}`;
    }
    return subject;
  }

  /** The subject with `*` for every token that is not given. @throws ERR_BUS_MESSAGE_INVALID */
  pattern(match: Partial<T>): string {
    return this.#parts
      .map(({ text, variable }) => {
        if (!variable) return text;
        const value = own(match, text);
        return value === undefined ? '*' : checkToken(text, value);
      })
      .join('.');
  }

  /** The tokens of a subject; undefined where it is not one of this template. */
  parse(subject: string): T | undefined {
    const texts = subject.split('.');
    if (texts.length !== this.#parts.length) return undefined;
    const tokens: Record<string, string> = {};
    let index = 0;
    for (const part of this.#parts) {
      const text = texts[index] ?? '';
      index += 1;
      if (!part.variable) {
        if (text !== part.text) return undefined;
      } else if (isToken(text)) tokens[part.text] = text;
      else return undefined;
    }
    return tokens as T;
  }
}

function own(tokens: Readonly<Record<string, string | undefined>>, name: string): string | undefined {
  return Object.hasOwn(tokens, name) ? tokens[name] : undefined;
}
