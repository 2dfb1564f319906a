import { type Command, Option } from 'commander';

/** Gives a list its flags: which columns, which rows, in which order, how often. */
export function listed(command: Command): Command {
  return command
    .option('--wide', 'every column, and whole ids, whatever the length of a line')
    .option('--sort <COLUMN>', 'by this column; -COLUMN: the largest first')
    .option('--filter <TEXT>', 'rows with this text alone; COLUMN=TEXT: of that column')
    .addOption(new Option('--watch [EVERY]', 'again and again, every 2s unless told otherwise'));
}
