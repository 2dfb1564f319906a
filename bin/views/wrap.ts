/** Columns of a terminal that nobody made wider. */
const COLUMNS = 80;

/** Text in lines of 80 columns, broken between words but not around a number; further lines begin with `indent` spaces. */
export function wrapText(text: string, indent: number): string {
  const [lead = ''] = /^ */.exec(text) ?? [];
  const lines: string[] = [];
  let line = '';
  for (const word of text.slice(lead.length).split(/(?<!\d) (?!\d)/)) {
    const before = lines.length === 0 ? lead : ' '.repeat(indent);
    const longer = line === '' ? `${before}${word}` : `${line} ${word}`;
    if (line !== '' && longer.length > COLUMNS) {
      lines.push(line);
      line = `${' '.repeat(indent)}${word}`;
    } else line = longer;
  }
  return `${[...lines, line].join('\n')}\n`;
}
