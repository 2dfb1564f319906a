const OCI = 'application/vnd.oci.image';
const DOCKER = 'application/vnd.docker.distribution.manifest';

/** Types of a header that say no more than that it is a document. */
const VAGUE = /^(?:application\/(?:json|octet-stream)|text\/plain|binary\/octet-stream)\s*(?:;|$)/i;
const TYPE = /^[A-Za-z0-9!#$&^_.+-]{1,127}\/[A-Za-z0-9!#$&^_.+-]{1,127}(?:\s*;[ -~]{0,200})?$/;

/** Whether a type is the one of Docker's first schema, whose digest is not the one of its bytes. */
export function isSchema1(mediaType: string | undefined): boolean {
  return (
    mediaType !== undefined && /^application\/vnd\.docker\.distribution\.manifest\.v1\+/i.test(mediaType)
  );
}

/**
 * Content-Type of a manifest: the one its registry gave (now, or when it was fetched), else its own `mediaType`, else
 * what its shape says.
 */
export function manifestType(document: Uint8Array, told: readonly (string | undefined)[]): string {
  const known = told.find((type) => type !== undefined && TYPE.test(type) && !VAGUE.test(type));
  if (known !== undefined) return known;
  const value = parse(document);
  const own = value?.['mediaType'];
  if (typeof own === 'string' && TYPE.test(own)) return own;
  return (
    typeOfShape(value) ?? told.find((type) => type !== undefined && TYPE.test(type)) ?? 'application/json'
  );
}

function parse(document: Uint8Array): Record<string, unknown> | undefined {
  try {
    const value: unknown = JSON.parse(Buffer.from(document).toString('utf8'));
    return typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : undefined;
  } catch {
    return undefined;
  }
}

function typeOfShape(value: Record<string, unknown> | undefined): string | undefined {
  if (value === undefined) return undefined;
  if (value['schemaVersion'] === 1) {
    return `${DOCKER}.v1+${value['signatures'] === undefined ? 'json' : 'prettyjws'}`;
  }
  if (Array.isArray(value['manifests'])) return `${OCI}.index.v1+json`;
  if (typeof value['config'] === 'object' || Array.isArray(value['layers'])) return `${OCI}.manifest.v1+json`;
  return undefined;
}
