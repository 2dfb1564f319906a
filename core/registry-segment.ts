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
