const COLUMNS = 80;

/** Lines of examples under a help text. */
export function example(...lines: string[]): string {
  return `\nExamples:\n${lines.map(commandLines).join('\n')}`;
}

/** A command as a shell takes it: a long one goes on in further lines. */
function commandLines(command: string): string {
  const lines: string[] = [];
  let line = '  $';
  for (const word of wordsOf(command)) {
    if (line.length + word.length + ' '.length + ' \\'.length > COLUMNS) {
      lines.push(`${line} \\`);
      line = '     ';
    }
    line = `${line} ${word}`;
  }
  return [...lines, line].join('\n');
}

/** What is in quotes is one word. */
function wordsOf(command: string): string[] {
  return command.match(/(?:'[^']*'|"[^"]*"|[^\s'"])+/g) ?? [];
}
