import { readdir } from 'node:fs/promises';
import { basename, dirname, join, resolve } from 'node:path';
import { DOCKER_HUB } from '../../core/docker-hub.ts';
import { ShoalError } from '../../core/errors.ts';
import { planPut, planTake } from './change.ts';
import type { Client, ClientPlan, ConfigureOptions } from './clients.ts';
import { readText } from './files.ts';
import type { RegistryChoice } from './names.ts';
import { isBelowPath, type KnownRegistries, registriesEdit, registriesOf } from './registries-conf.ts';
import type { TomlTable } from './toml-block.ts';

const DROP_INS = '/etc/containers/registries.conf.d';
const NAME = '50-shoal.conf';
/** These clients have no mirror for all registries. */
const USUAL: readonly RegistryChoice[] = [DOCKER_HUB, 'quay.io', 'ghcr.io', 'registry.k8s.io', 'gcr.io'].map(
  (name) => ({ name }),
);

/** Works out the drop-in that podman, skopeo, buildah and CRI-O share. */
export async function planContainers(client: Client, options: ConfigureOptions): Promise<ClientPlan> {
  const path = resolve(options.file ?? join(options.configDir ?? DROP_INS, NAME));
  const notes: string[] = [];
  const { earlier, later } = await otherRegistries(path);
  const asked = options.registries.length === 0 ? USUAL : options.registries;
  const address = asked.find(({ name }) => name.startsWith('['));
  if (address !== undefined) {
    const why = `behind a mirror ${client} can ask for no IPv6 address: give it a name, as NAME=URL, here and to the daemon`;
    throw new ShoalError('ERR_CONFIG_INVALID', `--registry ${address.name}: ${why}`);
  }
  const registries = options.undo ? [] : asked.filter(({ name }) => usable(name, earlier, later, notes));
  const edit = registriesEdit(path, registries, options.proxy, earlier);
  const take = options.undo || registries.length === 0;
  const change = await (take ? planTake(edit) : planPut(edit));
  if (!options.undo) notes.push(...aboutClient(client, options));
  return {
    changes: [change],
    activation: () =>
      client === 'crio' ? { kind: 'reload', command: 'systemctl reload crio' } : { kind: 'none' },
    notes,
  };
}

function aboutClient(client: Client, { registries }: ConfigureOptions): string[] {
  const notes = [
    'podman, skopeo, buildah and CRI-O read the same file: this goes for all of them',
    'a mirror gets no credentials of the registry: log in to the mirror too, as the guide says, for images behind a login',
    'a pull that breaks off in the middle is not taken up at the registry: run it again',
  ];
  for (const { name, url } of registries) {
    if (url === undefined || !isBelowPath(url)) continue;
    notes.push(
      `${client} itself finds nothing below ${url}: where Shoal does not answer, images of ${name} are not to be had`,
    );
  }
  if (registries.length === 0) {
    const names = USUAL.map(({ name }) => name).join(', ');
    notes.unshift(
      `${client} has no mirror for all registries, only for those named: ${names}; others by --registry`,
    );
  }
  return notes;
}

function usable(name: string, earlier: KnownRegistries, later: KnownRegistries, notes: string[]): boolean {
  if (earlier.get(name)?.['blocked'] === true) {
    notes.push(`${name} is blocked by another file: left as it is`);
    return false;
  }
  if (later.has(name)) {
    notes.push(`a file that is read later says something else of ${name}, and wins`);
  }
  for (const prefix of [...earlier.keys(), ...later.keys()]) {
    if (prefix.startsWith(`${name}/`))
      notes.push(`images of ${prefix} go where another file sends them, not through Shoal`);
  }
  return true;
}

/** What the main file and the other drop-ins say, those read before ours and those after. */
async function otherRegistries(path: string): Promise<{ earlier: KnownRegistries; later: KnownRegistries }> {
  const dir = dirname(path);
  const names = (await readdir(dir).catch(() => [])).filter((name) => name.endsWith('.conf')).sort();
  const before = names.filter((name) => name < basename(path)).map((name) => join(dir, name));
  const after = names.filter((name) => name > basename(path)).map((name) => join(dir, name));
  const main = dir.endsWith('.d') ? [dir.slice(0, -2)] : [];
  return { earlier: await readAll([...main, ...before]), later: await readAll(after) };
}

async function readAll(paths: readonly string[]): Promise<KnownRegistries> {
  const all = new Map<string, TomlTable>();
  for (const path of paths) {
    for (const [prefix, table] of registriesOf(path, (await readText(path)) ?? '')) all.set(prefix, table);
  }
  return all;
}
