import type { CommandNode, OptionNode } from './command-tree.ts';

/** What a manual page tells beside the command itself. */
export interface ManualPage {
  readonly version: string;
  /** What each exit code means. */
  readonly exitCodes: readonly (readonly [number, string])[];
  /** The page of the command above. */
  readonly above?: string;
}

/** The manual page of a command in the man macros of troff (man(7)): its name, options, commands, examples, exit codes. */
export function manualPage(node: CommandNode, { version, exitCodes, above }: ManualPage): string {
  const name = pageName(node);
  const others = [...(above === undefined ? [] : [above]), ...node.commands.map(pageName)];
  const sections: [string, readonly string[]][] = [
    ['NAME', [`${plain(name)} \\- ${plain(lowered(node.summary))}`]],
    ['SYNOPSIS', [`${bold(node.path)} ${plain(node.usage)}`.trim()]],
    ['DESCRIPTION', [plain(node.about)]],
    ['ARGUMENTS', node.args.flatMap(({ name: argument, about }) => entry(bold(argument), about))],
    ['COMMANDS', node.commands.flatMap(({ path, summary }) => entry(bold(path), summary))],
    ['OPTIONS', node.options.flatMap(optionEntry)],
    [
      'EXAMPLES',
      node.examples.length === 0 ? [] : ['.nf', ...node.examples.map((line) => `$ ${plain(line)}`), '.fi'],
    ],
    ['EXIT STATUS', exitCodes.flatMap(([code, meaning]) => entry(bold(String(code)), meaning))],
    ['SEE ALSO', others.length === 0 ? [] : [others.map((other) => `${bold(other)}(1)`).join(', ')]],
  ];
  const body = sections
    .filter(([, lines]) => lines.length > 0)
    .flatMap(([title, lines]) => [`.SH ${title.includes(' ') ? `"${title}"` : title}`, ...lines]);
  return `${[`.TH "${name.toUpperCase()}" 1 "" "shoal ${version}" "Shoal"`, ...body].join('\n')}\n`;
}

/** What the page of a command is called: `shoal-task-ls`. */
export function pageName({ path }: Pick<CommandNode, 'path'>): string {
  return path.replaceAll(' ', '-');
}

function optionEntry({ flags, about, choices }: OptionNode): string[] {
  const among = choices.length > 0 ? ` (one of ${choices.join(', ')})` : '';
  return entry(bold(flags), `${about}${among}`);
}

function entry(term: string, about: string): string[] {
  return ['.TP', term, plain(about)];
}

function bold(text: string): string {
  return `\\fB${plain(text)}\\fR`;
}

function lowered(text: string): string {
  return text.replace(/\.$/, '').replace(/^[A-Z](?![A-Z])/, (letter) => letter.toLowerCase());
}

/** As text: nothing in it is a command to troff, and a hyphen can be copied as one. */
function plain(text: string): string {
  return text
    .replaceAll('\\', '\\e')
    .replaceAll('-', '\\-')
    .replaceAll('’', '\\(cq')
    .replaceAll('…', '...')
    .replaceAll('\n', ' ')
    .replace(/^([.'])/, '\\&$1');
}
