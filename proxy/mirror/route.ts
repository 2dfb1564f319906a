import { type Digest, parseDigest } from '../../core/ids.ts';
import { registryOfSegment } from '../../core/registry-names.ts';
import { OciRefusal } from './oci-error.ts';

/** What of a registry is asked for. */
export type RegistryResource =
  | { readonly kind: 'base' }
  | {
      readonly kind: 'manifest';
      readonly name: string;
      readonly reference: string;
      readonly digest: Digest | undefined;
    }
  | { readonly kind: 'blob'; readonly name: string; readonly digest: Digest }
  | { readonly kind: 'tags'; readonly name: string; readonly query: string }
  | { readonly kind: 'referrers'; readonly name: string; readonly digest: Digest; readonly query: string };

/** A request to the mirror. */
export interface MirrorRoute {
  readonly resource: RegistryResource;
  /** Registry as the client names it, in lower case; absent where the path names none. */
  readonly registry: string | undefined;
  readonly namedBy: 'header' | 'ns' | 'path' | 'default' | 'nobody';
}

const NAME = /^[a-z0-9]+(?:(?:\.|__?|-+)[a-z0-9]+)*(?:\/[a-z0-9]+(?:(?:\.|__?|-+)[a-z0-9]+)*)*$/;
const NAME_CHARACTERS = 255;
const TAG = /^[A-Za-z0-9_][A-Za-z0-9._-]{0,127}$/;
const DIGEST_SHAPE = /^[a-z0-9]+(?:[+._-][a-z0-9]+)*:[A-Za-z0-9=_-]+$/;
const REGISTRY = /^(?:[a-z0-9](?:[a-z0-9.-]{0,251}[a-z0-9])?|\[[0-9a-f:.]{2,45}\])(?::\d{1,5})?$/;
/** A tag or a digest at the end of a path; it is read by its own grammar. */
const REFERENCE = /\/(?:manifests|blobs)\/[^/]+$/;
/** Query parameters that registries know; a client cannot say anything else to an upstream. */
const PASSED_ON = ['n', 'last', 'artifactType'];

/**
 * The registry that a path segment names: as in image references, by a dot, a port, or as localhost. `user_1` may be
 * the port of a host or part of a repository, and is the latter where a default registry can be meant.
 */
function registryIn(
  segment: string,
  defaultRegistry: string | undefined,
  configured: Readonly<Record<string, string>>,
): string | undefined {
  const registry = registryOfSegment(segment);
  if (/[.:]/.test(segment) || segment === 'localhost') return registry;
  if (registry === segment) return undefined;
  return defaultRegistry === undefined || Object.hasOwn(configured, registry) ? registry : undefined;
}

/**
 * Reads the target of a request that begins with `/v2`. The registry is the one of the header, else of `ns`, else of
 * the path, else the default one.
 * @param configured Registries by name: one of these is meant by its segment.
 * @throws OciRefusal for whatever the OCI grammar does not allow
 */
export function parseMirrorRoute(
  target: string,
  header: string | undefined,
  defaultRegistry: string | undefined,
  configured: Readonly<Record<string, string>> = {},
): MirrorRoute {
  const mark = target.indexOf('?');
  const path = mark === -1 ? target : target.slice(0, mark);
  const query = new URLSearchParams(mark === -1 ? '' : target.slice(mark + 1));
  // Nothing that the grammar allows needs an escape; what is escaped means to be read differently further on.
  if (/[^A-Za-z0-9/._:@+=[\]~-]/.test(path.replace(REFERENCE, '')))
    throw nameInvalid('the path has characters that no name has');
  const rest = /^\/v2(?:\/|$)(.*)$/.exec(path)?.[1];
  if (rest === undefined) throw new OciRefusal(404, 'UNSUPPORTED', 'there is nothing at this path');
  const spaces = query.getAll('ns');
  if (spaces.length > 1) throw nameInvalid('ns is given twice');
  const [space] = spaces;
  if (header !== undefined) return { resource: resourceOf(rest, query), ...named('header', header) };
  if (space !== undefined) return { resource: resourceOf(rest, query), ...named('ns', space) };
  const place = placeOf(rest, defaultRegistry, configured);
  if (place !== undefined)
    return { resource: resourceOf(place.behind, query), ...named('path', place.registry) };
  const resource = resourceOf(rest, query);
  if (defaultRegistry === undefined) return { resource, registry: undefined, namedBy: 'nobody' };
  return { resource, registry: defaultRegistry, namedBy: 'default' };
}

/** The registry that the first part of a path or of a repository's name says, and what is behind it. */
export function placeOf(
  path: string,
  defaultRegistry: string | undefined,
  configured: Readonly<Record<string, string>>,
): { readonly registry: string; readonly behind: string } | undefined {
  const [, first, behind] = /^([^/]+)\/(.+)$/.exec(path) ?? [];
  const registry = first === undefined ? undefined : registryIn(first, defaultRegistry, configured);
  if (registry === undefined || behind === undefined) return undefined;
  return { registry: registry.toLowerCase(), behind };
}

function named(namedBy: MirrorRoute['namedBy'], text: string): Pick<MirrorRoute, 'registry' | 'namedBy'> {
  const registry = text.toLowerCase();
  if (!REGISTRY.test(registry)) throw nameInvalid('the registry is not HOST[:PORT]');
  return { registry, namedBy };
}

function nameInvalid(message: string): OciRefusal {
  return new OciRefusal(400, 'NAME_INVALID', message);
}

function resourceOf(rest: string, query: URLSearchParams): RegistryResource {
  if (rest === '') return { kind: 'base' };
  const match = /^(.+)\/(manifests|blobs|referrers)\/([^/]+)$/.exec(rest);
  if (match !== null) {
    const [, name = '', kind, last = ''] = match;
    checkName(name);
    if (kind === 'manifests') return manifestOf(name, last);
    if (kind === 'blobs') return { kind: 'blob', name, digest: digestOf(last, 'BLOB_UNKNOWN') };
    return { kind: 'referrers', name, digest: digestOf(last, 'DIGEST_INVALID'), query: passedOn(query) };
  }
  const name = /^(.+)\/tags\/list$/.exec(rest)?.[1];
  if (name === undefined)
    throw new OciRefusal(404, 'UNSUPPORTED', 'a mirror gives manifests, blobs, tags and referrers');
  checkName(name);
  return { kind: 'tags', name, query: passedOn(query) };
}

/** How it is told that a text is no digest. */
type Unnamed = 'BLOB_UNKNOWN' | 'DIGEST_INVALID' | 'MANIFEST_UNKNOWN';

function manifestOf(name: string, reference: string): RegistryResource {
  if (reference.includes(':')) {
    return { kind: 'manifest', name, reference, digest: digestOf(reference, 'MANIFEST_UNKNOWN') };
  }
  if (!TAG.test(reference)) throw nothingNamed('MANIFEST_UNKNOWN', 'not a tag');
  return { kind: 'manifest', name, reference, digest: undefined };
}

function checkName(name: string): void {
  if (name.length > NAME_CHARACTERS || !NAME.test(name)) throw nameInvalid('not a repository name');
}

/**
 * What the grammar does not allow names nothing that a registry could have, and it says so.
 * @see OCI distribution spec, Pulling manifests, Pulling blobs; Listing Referrers: there an invalid digest is a 400
 */
function nothingNamed(code: Unnamed, message: string): OciRefusal {
  return new OciRefusal(code === 'DIGEST_INVALID' ? 400 : 404, code, message);
}

function digestOf(text: string, code: Unnamed): Digest {
  if (!DIGEST_SHAPE.test(text)) throw nothingNamed(code, 'not a digest');
  const algorithm = text.slice(0, text.indexOf(':'));
  if (algorithm !== 'sha256' && algorithm !== 'sha512') {
    throw new OciRefusal(400, 'DIGEST_INVALID', 'only sha256 and sha512 can be verified here');
  }
  // The grammar has no upper-case hex digits: another spelling would be another name of the same content.
  if (text !== text.toLowerCase()) throw nothingNamed(code, 'hex digits are lower case');
  try {
    return parseDigest(text);
  } catch {
    throw nothingNamed(code, `not a digest of ${algorithm}`);
  }
}

function passedOn(query: URLSearchParams): string {
  const kept = new URLSearchParams();
  for (const name of PASSED_ON) {
    const value = query.get(name);
    if (value !== null) kept.set(name, value);
  }
  const text = kept.toString();
  return text === '' ? '' : `?${text}`;
}

/** The path of a resource at its registry. */
export function upstreamPath(resource: RegistryResource): string {
  switch (resource.kind) {
    case 'base':
      return '/v2/';
    case 'manifest':
      return `/v2/${resource.name}/manifests/${resource.reference}`;
    case 'blob':
      return `/v2/${resource.name}/blobs/${resource.digest}`;
    case 'tags':
      return `/v2/${resource.name}/tags/list${resource.query}`;
    case 'referrers':
      return `/v2/${resource.name}/referrers/${resource.digest}${resource.query}`;
  }
}
