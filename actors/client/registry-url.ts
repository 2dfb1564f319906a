const CONTENT = /^\/v2\/.+\/(?:blobs|manifests)\/[^/]+$/;

/** Whether a URL names content of a container registry, which says itself, at any time, who may have it. */
export function isRegistryUrl(url: string): boolean {
  return URL.canParse(url) && CONTENT.test(new URL(url).pathname);
}
