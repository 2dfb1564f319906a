import { type Ran, startCommand } from './child.ts';
import type { Containerd, PullOptions } from './containerd.ts';

/** The kubelet's way to a containerd, by crictl. */
export interface Crictl {
  /** Pulls an image; its digest is in `digest` where it succeeded. */
  pull(options: PullOptions): Promise<Ran & { readonly digest: string | undefined }>;
  /** Forgets every image. */
  clear(): Promise<void>;
}

/** @param program crictl, which speaks to a containerd that serves the kubelet */
export function crictlOf(program: string, { socket }: Pick<Containerd, 'socket'>): Crictl {
  const at = `unix://${socket}`;
  const start = (...args: string[]) =>
    startCommand([program, '-r', at, '-i', at, '--timeout', '60s', ...args]).done;
  return {
    async pull({ registry, image, login }) {
      const creds = login === undefined ? [] : ['--creds', `${login.user}:${login.password}`];
      const reference = `${registry}/${image}`;
      const ran = await start('pull', ...creds, reference);
      if (ran.code !== 0) return { ...ran, digest: undefined };
      const { stdout } = await start('inspecti', '-o', 'json', reference);
      return { ...ran, digest: /@(sha256:[0-9a-f]{64})"/.exec(stdout)?.[1] };
    },
    async clear() {
      await start('rmi', '--all');
    },
  };
}
