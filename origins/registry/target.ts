/** What is asked for at which registry. */
export interface RegistryTarget {
  /** Scheme, host and port of the registry. */
  readonly origin: URL;
  /** The same with the path that the registry lies below. */
  readonly base: string;
  /** Empty for what belongs to no repository. */
  readonly repository: string;
  readonly isManifest: boolean;
}

/** A registry may lie below a path of its server. */
const IN_REPOSITORY = /^(.*?)\/v2\/(.+)\/(manifests|blobs|tags|referrers)\/([^/]+)$/;
const AT_ROOT = /^(?:(.*?)\/v2\/$|\/v2\/)/;

/** Undefined for a URL that belongs to no registry. */
export function registryTargetOf(text: string): RegistryTarget | undefined {
  if (!URL.canParse(text)) return undefined;
  const url = new URL(text);
  if (!/^https?:$/.test(url.protocol)) return undefined;
  const found = IN_REPOSITORY.exec(url.pathname) ?? AT_ROOT.exec(url.pathname);
  if (found === null) return undefined;
  const [, prefix = '', repository = '', kind] = found;
  const base = `${url.origin}${prefix}`;
  return { origin: new URL(url.origin), base, repository, isManifest: kind === 'manifests' };
}

/** Whether nobody on the way can read what is sent there: TLS, or this machine itself. */
export function isPrivateWay(url: URL): boolean {
  const { protocol, hostname } = url;
  if (protocol === 'https:') return true;
  return (
    /^127\.\d+\.\d+\.\d+$/.test(hostname) || hostname === '[::1]' || /^(?:.+\.)?localhost$/.test(hostname)
  );
}

/** Whether a URL names content of a container registry, which says itself, at any time, who may have it. */
export function namesContent(text: string): boolean {
  return contentNamedIn(text) !== undefined;
}

/** The tag or digest of the content that a URL names at a container registry. */
export function contentNamedIn(text: string): string | undefined {
  const [, , , kind, name] = URL.canParse(text) ? (IN_REPOSITORY.exec(new URL(text).pathname) ?? []) : [];
  return kind === 'manifests' || kind === 'blobs' ? name?.replace(/%3a/i, ':') : undefined;
}
