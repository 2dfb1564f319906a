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
/** Query parameters that registries know; a client cannot say anything else to an upstream. */
const PASSED_ON = ['n', 'last', 'artifactType'];

/** Whether a path segment names a registry: as in image references, by a dot, a port, or as localhost. */
function namesRegistry(segment: string): boolean {
  return /[.:]/.test(segment) || segment === 'localhost' || /_\d{1,5}$/.test(segment);
}

/**
 * Reads the target of a request that begins with `/v2`. The registry is the one of the header, else of `ns`, else of
 * the path, else the default one. @throws OciRefusal for whatever the OCI grammar does not allow
 */
export function parseMirrorRoute(
  target: string,
  header: string | undefined,
  defaultRegistry: string | undefined,
): MirrorRoute {
  const mark = target.indexOf('?');
  const path = mark === -1 ? target : target.slice(0, mark);
  const query = new URLSearchParams(mark === -1 ? '' : target.slice(mark + 1));
  // Nothing that the grammar allows needs an escape; what is escaped means to be read differently further on.
  if (/[^A-Za-z0-9/._:@+=[\]~-]/.test(path)) throw nameInvalid('the path has characters that no name has');
  const rest = /^\/v2(?:\/|$)(.*)$/.exec(path)?.[1];
  if (rest === undefined) throw new OciRefusal(404, 'UNSUPPORTED', 'there is nothing at this path');
  const spaces = query.getAll('ns');
  if (spaces.length > 1) throw nameInvalid('ns is given twice');
  const [space] = spaces;
  if (header !== undefined) return { resource: resourceOf(rest, query), ...named('header', header) };
  if (space !== undefined) return { resource: resourceOf(rest, query), ...named('ns', space) };
  const [, first, behind] = /^([^/]+)\/(.+)$/.exec(rest) ?? [];
  if (first !== undefined && behind !== undefined && namesRegistry(first)) {
    return { resource: resourceOf(behind, query), ...named('path', registryOfSegment(first)) };
  }
  const resource = resourceOf(rest, query);
  if (defaultRegistry === undefined) return { resource, registry: undefined, namedBy: 'nobody' };
  return { resource, registry: defaultRegistry, namedBy: 'default' };
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
    const digest = digestOf(last);
    return kind === 'blobs'
      ? { kind: 'blob', name, digest }
      : { kind: 'referrers', name, digest, query: passedOn(query) };
  }
  const name = /^(.+)\/tags\/list$/.exec(rest)?.[1];
  if (name === undefined)
    throw new OciRefusal(404, 'UNSUPPORTED', 'a mirror gives manifests, blobs, tags and referrers');
  checkName(name);
  return { kind: 'tags', name, query: passedOn(query) };
}

function manifestOf(name: string, reference: string): RegistryResource {
  if (reference.includes(':')) return { kind: 'manifest', name, reference, digest: digestOf(reference) };
  if (!TAG.test(reference)) throw new OciRefusal(400, 'TAG_INVALID', 'not a tag');
  return { kind: 'manifest', name, reference, digest: undefined };
}

function checkName(name: string): void {
  if (name.length > NAME_CHARACTERS || !NAME.test(name)) throw nameInvalid('not a repository name');
}

function digestOf(text: string): Digest {
  if (!DIGEST_SHAPE.test(text)) throw new OciRefusal(400, 'DIGEST_INVALID', 'not a digest');
  const algorithm = text.slice(0, text.indexOf(':'));
  if (algorithm !== 'sha256' && algorithm !== 'sha512') {
    throw new OciRefusal(400, 'DIGEST_INVALID', 'only sha256 and sha512 can be verified here');
  }
  // The grammar has no upper-case hex digits: another spelling would be another name of the same content.
  if (text !== text.toLowerCase()) throw new OciRefusal(400, 'DIGEST_INVALID', 'hex digits are lower case');
  try {
    return parseDigest(text);
  } catch {
    throw new OciRefusal(400, 'DIGEST_INVALID', `not a digest of ${algorithm}`);
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
