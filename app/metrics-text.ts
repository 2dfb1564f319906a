const HELP = /^# HELP (\S+)/;

/** Two texts of metrics as one: families of `other` that `first` has too are left out, for a family may stand once. */
export function mergedMetrics(first: string, other: string): string {
  const names = new Set(families(first).map(([name]) => name));
  const added = families(other).filter(([name]) => !names.has(name));
  return [first.trimEnd(), ...added.map(([, text]) => text)].join('\n\n').concat('\n');
}

function families(text: string): (readonly [string, string])[] {
  return text
    .split(/\n(?=# HELP )/)
    .map((family) => [HELP.exec(family)?.[1] ?? '', family.trimEnd()] as const);
}
