/* Docker Hub goes by one name, answers at another, and has its credentials kept under a third. */

/** How images name Docker Hub. */
export const DOCKER_HUB = 'docker.io';
/** Base URL at which it answers. */
export const DOCKER_HUB_URL = 'https://registry-1.docker.io';
/** The key under which Docker keeps credentials for it. */
export const DOCKER_HUB_KEY = 'https://index.docker.io/v1/';

const INDEX = 'index.docker.io';
const HOSTS: ReadonlySet<string> = new Set([DOCKER_HUB, INDEX, new URL(DOCKER_HUB_URL).host]);
/** A host of its web pages, which people write where they mean the registry. */
const PAGES = 'registry.hub.docker.com';

/** Whether a host, or the name of a registry, is Docker Hub. */
export function isDockerHub(host: string): boolean {
  return HOSTS.has(host);
}

/** A registry as image references name it: of Docker Hub's names one alone stands for another there. */
export function registryInReference(name: string): string {
  return name === INDEX ? DOCKER_HUB : name;
}

/** A registry as a person names it, in small letters. */
export function registryByPerson(name: string): string {
  return isDockerHub(name) || name === PAGES ? DOCKER_HUB : name;
}

/** The repository that a path means at Docker Hub, where what is in no namespace is in `library`. */
export function hubRepository(path: string): string {
  return path.includes('/') ? path : `library/${path}`;
}
