import { DOCKER_HUB, hubRepository, registryInReference } from './docker-hub.ts';
import { ShoalError } from './errors.ts';
import { type Digest, parseDigest } from './ids.ts';

/** An image as people name it, with everything that the short forms leave out. */
export interface ImageReference {
  /** As clients write it, `docker.io` where the text names none. */
  readonly registry: string;
  /** `library/alpine` for `alpine`. */
  readonly repository: string;
  /** `latest` where neither a tag nor a digest is given. */
  readonly tag: string | undefined;
  /** Wins over the tag. */
  readonly digest: Digest | undefined;
}

const LONGEST = 4096;
const LONGEST_REPOSITORY = 255;

const LABEL = '[a-zA-Z0-9](?:[a-zA-Z0-9-]*[a-zA-Z0-9])?';
const REGISTRY = new RegExp(`^(?:${LABEL}(?:\\.${LABEL})*|\\[[a-fA-F0-9:]+\\])(?::[0-9]{1,5})?$`);
const COMPONENT = /^[a-z0-9]+(?:(?:[._]|__|-+)[a-z0-9]+)*$/;
const TAG = /^\w[\w.-]{0,127}$/;
const IDENTIFIER = /^[a-f0-9]{64}$/;

/**
 * `[REGISTRY/]REPOSITORY[:TAG][@DIGEST]`. A first part without a dot, a colon or a capital that is not `localhost`
 * belongs to the repository.
 * @see github.com/distribution/reference
 * @throws ERR_IMAGE_REFERENCE, ERR_DIGEST_INVALID
 */
export function parseImageReference(text: string): ImageReference {
  const refuse = (why: string): never => {
    throw new ShoalError(
      'ERR_IMAGE_REFERENCE',
      `not an image: ${JSON.stringify(text.slice(0, 200))}: ${why}`,
    );
  };
  if (text.length > LONGEST) return refuse('too long');
  if (IDENTIFIER.test(text)) return refuse('64 hex digits name no repository');
  const at = text.indexOf('@');
  const named = at < 0 ? text : text.slice(0, at);
  const digest = at < 0 ? undefined : parseDigest(text.slice(at + 1));
  const { registry, rest } = splitRegistry(named);
  const [path = '', tag, ...more] = rest.split(':');
  if (more.length > 0) return refuse('more than one tag');
  const repository = registry === DOCKER_HUB ? hubRepository(path) : path;
  if (!REGISTRY.test(registry)) return refuse('no such name of a registry');
  if (path !== path.toLowerCase()) return refuse('the repository must be in small letters');
  if (!isRepository(repository)) return refuse('no such name of a repository');
  if (tag !== undefined && !TAG.test(tag)) return refuse('no such tag');
  return { registry, repository, tag: tag ?? (digest === undefined ? 'latest' : undefined), digest };
}

function splitRegistry(named: string): { registry: string; rest: string } {
  const slash = named.indexOf('/');
  const first = named.slice(0, Math.max(0, slash));
  const isName = /[.:]/.test(first) || first === 'localhost' || first !== first.toLowerCase();
  if (slash < 0 || !isName) return { registry: DOCKER_HUB, rest: named };
  return { registry: registryInReference(first.toLowerCase()), rest: named.slice(slash + 1) };
}

/** Whether the text can name a repository within a registry. */
export function isRepository(text: string): boolean {
  return text.length <= LONGEST_REPOSITORY && text.split('/').every((part) => COMPONENT.test(part));
}

/** The reference in full; parsing it gives the same again. */
export function formatImageReference({ registry, repository, tag, digest }: ImageReference): string {
  const version = `${tag === undefined ? '' : `:${tag}`}${digest === undefined ? '' : `@${digest}`}`;
  return `${registry}/${repository}${version}`;
}
