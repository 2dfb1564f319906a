import { writeFileSync } from 'node:fs';
import { run } from '../../support/child.ts';

const SCRIPT = `
import json, sys, zipfile
with zipfile.ZipFile(sys.argv[1], 'w') as z:
    for name, file in json.load(open(sys.argv[1] + '.json')).items():
        z.write(file, name)
`;

/** Writes a zip archive of these files, not compressed. */
export async function zip(path: string, files: Readonly<Record<string, Buffer | string>>): Promise<void> {
  const names = Object.entries(files).map(([name, content], index) => {
    const file = `${path}.${index}`;
    writeFileSync(file, content);
    return [name, file] as const;
  });
  writeFileSync(`${path}.json`, JSON.stringify(Object.fromEntries(names)));
  await run(['python3', '-c', SCRIPT, path]);
}
