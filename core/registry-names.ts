import { DOCKER_HUB, DOCKER_HUB_URL, isDockerHub } from './docker-hub.ts';

/** Base URL of a registry by its name, as configured, Docker Hub's own, or `https://NAME`. */
export function registryBase(name: string, configured: Readonly<Record<string, string>> = {}): string {
  if (Object.hasOwn(configured, name)) return configured[name] ?? '';
  return isDockerHub(name) ? DOCKER_HUB_URL : `https://${name}`;
}

/** Names what the base URL of a registry is called by clients: as configured, docker.io, else its host. */
export function registryNamer(configured: Readonly<Record<string, string>>): (base: string) => string {
  const names = new Map([[DOCKER_HUB_URL, DOCKER_HUB]]);
  for (const [name, base] of Object.entries(configured)) names.set(base, name);
  return (base) => names.get(base) ?? new URL(base).host;
}

/**
 * A registry's name as the first segment of a mirror's path: `quay.io`, `registry.lab_5000`.
 * Image references allow no colon there, so podman, skopeo and CRI-O could not ask for `registry.lab:5000/…` behind a mirror.
 */
export function segmentOfRegistry(registry: string): string {
  return registry.toLowerCase().replace(/:(\d{1,5})$/, '_$1');
}

/** The registry a path segment stands for: `registry.lab_5000` and `registry.lab:5000` are the same. */
export function registryOfSegment(segment: string): string {
  return segment.replace(/_(\d{1,5})$/, ':$1');
}
