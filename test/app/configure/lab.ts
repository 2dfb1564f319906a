import { mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';
import type { Client, ConfigureOptions } from '../../../app/configure/clients.ts';
import { type Configured, configureClient } from '../../../app/configure/configure.ts';
import { parseProxy, parseRegistry } from '../../../app/configure/names.ts';
import { tempDir } from '../../support/temp-dir.ts';

/** A client's files in a folder of their own. */
export interface Lab extends AsyncDisposable {
  at(path: string): string;
  write(path: string, text: string): void;
  read(path: string): string;
  /** Every file with its text, by path. */
  files(): Record<string, string>;
  run(flags?: Partial<Flags>): Promise<Configured>;
}

interface Flags {
  readonly registries: readonly string[];
  readonly proxy: string;
  readonly undo: boolean;
  readonly dryRun: boolean;
  readonly proxies: ConfigureOptions['proxies'];
}

const PLACES: Readonly<Record<Client, { readonly configDir?: string; readonly file?: string }>> = {
  containerd: { configDir: 'containerd/certs.d', file: 'containerd/config.toml' },
  docker: { configDir: 'systemd/docker.service.d', file: 'docker/daemon.json' },
  podman: { configDir: 'containers/registries.conf.d' },
  crio: { configDir: 'containers/registries.conf.d' },
};

/** Opens a lab for a client, with these files in it. */
export async function openLab(client: Client, files: Readonly<Record<string, string>> = {}): Promise<Lab> {
  const temp = await tempDir();
  const at = (path: string) => join(temp.path, path);
  const { configDir, file } = PLACES[client];
  const lab: Lab = {
    at,
    write(path, text) {
      mkdirSync(dirname(at(path)), { recursive: true });
      writeFileSync(at(path), text);
    },
    read: (path) => readFileSync(at(path), 'utf8'),
    files() {
      const all = readdirSync(temp.path, { recursive: true, encoding: 'utf8' }).map((path) => at(path));
      const plain = all.filter((path) => statSync(path).isFile()).sort();
      return Object.fromEntries(plain.map((path) => [relative(temp.path, path), readFileSync(path, 'utf8')]));
    },
    run({ registries = [], proxy = 'http://127.0.0.1:4001', undo = false, dryRun = false, proxies } = {}) {
      const options = {
        registries: registries.map(parseRegistry),
        proxy: parseProxy(proxy),
        configDir: configDir === undefined ? undefined : at(configDir),
        file: file === undefined ? undefined : at(file),
        proxies,
        undo,
      };
      return configureClient(client, options, dryRun);
    },
    [Symbol.asyncDispose]: () => temp[Symbol.asyncDispose](),
  };
  for (const [path, text] of Object.entries(files)) lab.write(path, text);
  return lab;
}

/** Files without those that remember. */
export function visible(files: Record<string, string>): Record<string, string> {
  return Object.fromEntries(Object.entries(files).filter(([path]) => !path.endsWith('.shoal-undo')));
}

/** What became of each file, by the end of its path. */
export function changesOf({ files }: Configured): string[] {
  return files.map(({ path, change }) => `${change} ${path.split('/').slice(-2).join('/')}`);
}
