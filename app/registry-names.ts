/** Names what the base URL of a registry is called by clients: as configured, docker.io, else its host. */
export function registryNamer(configured: Readonly<Record<string, string>>): (base: string) => string {
  const names = new Map([['https://registry-1.docker.io', 'docker.io']]);
  for (const [name, base] of Object.entries(configured)) names.set(base, name);
  return (base) => names.get(base) ?? new URL(base).host;
}
