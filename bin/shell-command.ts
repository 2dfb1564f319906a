import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Command } from 'commander';
import { VERSION } from '../app/version.ts';
import { allCommands, type CommandNode, commandTree } from './command-tree.ts';
import { completionScript, type Shell } from './completion.ts';
import { EXIT_CODES } from './exit-codes.ts';
import { manualPage, pageName } from './manual-page.ts';

/** Prints the completion of a shell. */
export function runCompletion(program: Command, shell: Shell): void {
  process.stdout.write(completionScript(shell, commandTree(program)));
}

/**
 * Prints the page of a command, or writes all pages to a folder.
 * @throws CommanderError there is no such command
 */
export async function runMan(program: Command, names: readonly string[], out?: string): Promise<void> {
  const root = commandTree(program);
  const all = allCommands(root);
  if (out !== undefined) {
    await mkdir(out, { recursive: true });
    for (const node of all) await writeFile(join(out, `${pageName(node)}.1`), page(node, all));
    return;
  }
  const wanted = [root.name, ...names.filter((name, at) => at > 0 || name !== root.name)].join(' ');
  const node = all.find(({ path }) => path === wanted);
  if (node === undefined)
    program.error(`error: there is no command \`${wanted}\`: see \`${root.name} --help\``);
  process.stdout.write(page(node, all));
}

function page(node: CommandNode, all: readonly CommandNode[]): string {
  const parent = all.find(({ commands }) => commands.includes(node));
  return manualPage(node, {
    version: VERSION,
    exitCodes: EXIT_CODES,
    ...(parent !== undefined && { above: pageName(parent) }),
  });
}
