import { Argument, type Command } from 'commander';
import { SHELLS, type Shell } from '../completion.ts';
import { example } from '../help.ts';

/** Adds `completion` and `man`, made from the commands themselves. */
export function addShell(program: Command): void {
  program
    .command('completion')
    .addArgument(new Argument('<SHELL>', 'the shell that is to complete').choices(SHELLS))
    .summary('print the completion of a shell')
    .description('Print a script that completes commands and options in a shell.')
    .addHelpText(
      'after',
      example(
        'source <(shoal completion bash)',
        'shoal completion zsh > /usr/local/share/zsh/site-functions/_shoal',
        'shoal completion fish > ~/.config/fish/completions/shoal.fish',
      ),
    )
    .action(async (shell: Shell) => (await import('../shell-command.ts')).runCompletion(program, shell));

  program
    .command('man')
    .argument('[COMMAND...]', 'whose page to print; `shoal` itself where none is named')
    .option('--out <DIR>', 'write the pages of all commands there, as shoal.1, shoal-get.1 and so on')
    .summary('print a manual page')
    .description('Print the manual page of a command, as `man` reads it, or write those of all commands.')
    .addHelpText('after', example('shoal man get | man -l -', 'shoal man --out /usr/local/share/man/man1'))
    .action(async (names: readonly string[], { out }: { readonly out?: string }) =>
      (await import('../shell-command.ts')).runMan(program, names, out),
    );
}
