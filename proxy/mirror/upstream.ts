/** Registries whose address is not their name. */
const BUILT_IN: Readonly<Record<string, string>> = {
  'docker.io': 'https://registry-1.docker.io',
  'index.docker.io': 'https://registry-1.docker.io',
};

/** Base URL of a registry by its name, as configured, built in, or `https://NAME`. */
export function registryBase(name: string, configured: Readonly<Record<string, string>>): string {
  if (Object.hasOwn(configured, name)) return configured[name] ?? '';
  if (Object.hasOwn(BUILT_IN, name)) return BUILT_IN[name] ?? '';
  return `https://${name}`;
}
