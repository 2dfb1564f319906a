import type { Command, Option } from 'commander';

/** An option of a command, as a shell or a manual page needs it. */
export interface OptionNode {
  /** `--output` or `-o`, the long one last. */
  readonly names: readonly string[];
  /** As the help text prints it: `-o, --output <FILE>`. */
  readonly flags: string;
  readonly about: string;
  readonly takesValue: boolean;
  readonly choices: readonly string[];
}

/** What a command wants beside options. */
export interface ArgumentNode {
  readonly name: string;
  readonly about: string;
  readonly choices: readonly string[];
}

/** A command with its subcommands: the one source of help texts, completions and manual pages. */
export interface CommandNode {
  /** The whole command: `shoal task ls`. */
  readonly path: string;
  readonly name: string;
  readonly summary: string;
  readonly about: string;
  /** What follows the path: `[options] <TASK>`. */
  readonly usage: string;
  readonly args: readonly ArgumentNode[];
  readonly options: readonly OptionNode[];
  /** Lines of examples, without the prompt. */
  readonly examples: readonly string[];
  readonly commands: readonly CommandNode[];
}

/** What a program can be asked for. */
export function commandTree(command: Command, above = ''): CommandNode {
  const path = `${above} ${command.name()}`.trim();
  const help = command.createHelp();
  return {
    path,
    name: command.name(),
    summary: command.summary() || command.description(),
    about: command.description(),
    usage: command.usage(),
    args: command.registeredArguments.map((argument) => ({
      name: argument.name(),
      about: argument.description,
      choices: argument.argChoices ?? [],
    })),
    options: help.visibleOptions(command).map(optionNode),
    examples: examplesOf(command),
    commands: help
      .visibleCommands(command)
      .filter((child) => child.name() !== 'help')
      .map((child) => commandTree(child, path)),
  };
}

/** A command and all below it, the command first. */
export function allCommands(node: CommandNode): CommandNode[] {
  return [node, ...node.commands.flatMap(allCommands)];
}

function optionNode(option: Option): OptionNode {
  return {
    names: [option.short, option.long].filter((name) => name !== undefined),
    flags: option.flags,
    about: option.description,
    takesValue: option.required || option.optional,
    choices: option.argChoices ?? [],
  };
}

/** Commander keeps what is added to a help text to itself: it is read from the text. */
function examplesOf(command: Command): string[] {
  let text = '';
  const output = command.configureOutput();
  command.configureOutput({
    ...output,
    writeOut: (part) => {
      text += part;
    },
  });
  command.outputHelp();
  command.configureOutput(output);
  return [...text.replaceAll(/ \\\n +/g, ' ').matchAll(/^ {2}\$ (.+)$/gm)].map(([, line]) => line ?? '');
}
