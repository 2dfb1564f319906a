import { emitKeypressEvents } from 'node:readline';
import { styleText } from 'node:util';
import type { TypedKey } from './model.ts';
import type { Line, Span, Style } from './picture.ts';

/** The other screen of the terminal, without a cursor; what stood there before comes back afterwards. */
const ENTER = '\x1b[?1049h\x1b[?25l';
const LEAVE = '\x1b[?25h\x1b[?1049l';

const LOOKS: Readonly<Record<Style, Parameters<typeof styleText>[0] | undefined>> = {
  plain: undefined,
  strong: 'bold',
  dim: 'gray',
  good: 'green',
  bad: 'red',
  chosen: 'inverse',
};

/** A line as a terminal draws it; without colours only what is chosen stands out. */
export function drawn(line: Line, colours: boolean): string {
  return line.map((span) => drawnSpan(span, colours)).join('');
}

function drawnSpan({ text, style }: Span, colours: boolean): string {
  const look = LOOKS[style];
  if (look === undefined || (!colours && style !== 'chosen')) return text;
  return styleText(look, text, { validateStream: false });
}

/** The whole terminal, until it is given back. */
export class Screen {
  readonly #colours: boolean;
  readonly #onKey: (key: TypedKey) => void;
  readonly #onSize: () => void;
  readonly #pressed = (_text: string | undefined, key: TypedKey) => this.#onKey(key);
  readonly #giveBack = () => {
    process.stdout.write(LEAVE);
  };

  constructor(options: { colours: boolean; onKey: (key: TypedKey) => void; onSize: () => void }) {
    this.#colours = options.colours;
    this.#onKey = options.onKey;
    this.#onSize = options.onSize;
    process.stdout.write(ENTER);
    process.once('exit', this.#giveBack);
    emitKeypressEvents(process.stdin);
    process.stdin.setRawMode(true);
    process.stdin.on('keypress', this.#pressed);
    process.stdin.resume();
    process.stdout.on('resize', this.#onSize);
  }

  get columns(): number {
    return process.stdout.columns;
  }

  get lines(): number {
    return process.stdout.rows;
  }

  draw(picture: readonly Line[]): void {
    const lines = picture.map((line) => `${drawn(line, this.#colours)}\x1b[K`);
    process.stdout.write(`\x1b[H${lines.join('\r\n')}\x1b[J`);
  }

  [Symbol.dispose](): void {
    process.stdout.off('resize', this.#onSize);
    process.stdin.off('keypress', this.#pressed);
    process.stdin.setRawMode(false);
    process.stdin.pause();
    process.off('exit', this.#giveBack);
    this.#giveBack();
  }
}
