import { type Command, Option } from 'commander';
import type { Client } from '../../app/configure/clients.ts';
import { example } from '../help.ts';
import { addSettings } from '../settings-flags.ts';

type Options = Readonly<Record<string, unknown>>;

interface About {
  readonly reads: string;
  readonly configDir: string;
  readonly file: string;
  readonly registries: string;
  readonly examples: readonly string[];
}

const ABOUT: Readonly<Record<Client, About>> = {
  containerd: {
    reads: 'a hosts.toml for each registry, and config_path in its config.toml so that Kubernetes reads them',
    configDir:
      'where the hosts.toml files lie (default: /etc/containerd/certs.d); without --file config.toml is left alone',
    file: 'its config.toml (default: /etc/containerd/config.toml)',
    registries: 'all',
    examples: [
      '--dry-run',
      '',
      '--registry docker.io --registry lab.example:5000=http://lab.example:5000',
      '--registry lab.example:5000 --test-image lab.example:5000/app:v1',
      '--no-check',
      '--undo',
    ],
  },
  docker: {
    reads:
      'registry-mirrors in its daemon.json, for Docker Hub alone; with --proxies its proxy, for all registries',
    configDir: "where systemd's drop-ins for Docker lie (default: /etc/systemd/system/docker.service.d)",
    file: 'its daemon.json (default: /etc/docker/daemon.json)',
    registries: 'docker.io, the only one it can mirror',
    examples: ['--dry-run', '', '--proxies', '--undo'],
  },
  podman: {
    reads: 'a drop-in of registries.conf, which skopeo, buildah and CRI-O read too',
    configDir: 'where the drop-ins lie (default: /etc/containers/registries.conf.d)',
    file: 'the drop-in itself (default: 50-shoal.conf there)',
    registries: 'docker.io, quay.io, ghcr.io, registry.k8s.io, gcr.io',
    examples: ['--dry-run', '', '--registry quay.io --registry lab.example:5000', '--undo'],
  },
  crio: {
    reads: 'a drop-in of registries.conf, which podman, skopeo and buildah read too',
    configDir: 'where the drop-ins lie (default: /etc/containers/registries.conf.d)',
    file: 'the drop-in itself (default: 50-shoal.conf there)',
    registries: 'docker.io, quay.io, ghcr.io, registry.k8s.io, gcr.io',
    examples: ['--dry-run', '', '--registry quay.io --registry lab.example:5000', '--undo'],
  },
};

/** Adds `configure containerd|docker|podman|crio`. */
export function addConfigure(program: Command): void {
  const configure = program
    .command('configure')
    .summary('make a container client pull through Shoal')
    .description(
      "Write a container client's own configuration so that it pulls through the daemon of this machine, or take that back.",
    );
  for (const client of Object.keys(ABOUT) as Client[]) addClient(configure, client, ABOUT[client]);
}

function addClient(configure: Command, client: Client, about: About): void {
  const command = configure
    .command(client)
    .summary(`make ${client} pull through Shoal`)
    .description(
      `Make ${client} pull through Shoal: ${about.reads}. What others wrote stays; a second run changes nothing; one with other flags replaces the first. Then the daemon is asked what it would do with each registry, and one small blob is pulled.`,
    )
    .addOption(
      new Option(
        '--registry <NAME>',
        `a registry as images name it, NAME=URL where it is not at https://NAME; may be given several times (default: ${about.registries})`,
      ).argParser((text: string, former: string[] | undefined) => [...(former ?? []), text]),
    )
    .option('--proxy <URL>', "the daemon's proxy port", 'http://127.0.0.1:4001')
    .option('--config-dir <DIR>', about.configDir)
    .option('--file <FILE>', about.file);
  if (client === 'docker') {
    command.addOption(
      new Option(
        '--proxies [HOW]',
        'send all that Docker fetches through Shoal: by daemon.json (Docker 23 and later) or a systemd drop-in',
      )
        .choices(['auto', 'daemon', 'systemd'])
        .preset('auto'),
    );
  }
  command
    .option('--no-check', 'write the files, and do not ask the daemon whether a pull would work')
    .addOption(
      new Option(
        '--test-image <IMAGE>',
        'the image that the pull at the end is of (default: one that the registry is known to have)',
      ),
    )
    .option('--undo', 'take back what was written, byte for byte where nobody else wrote since')
    .option('--dry-run', 'print the difference and write nothing')
    .option('--json', 'print JSON')
    .addHelpText(
      'after',
      example(...about.examples.map((flags) => `shoal configure ${client} ${flags}`.trimEnd())),
    )
    .action(async (options: Options) => {
      const { runConfigure } = await import('../configure-command.ts');
      await runConfigure(client, options);
    });
  addSettings(command, ['dir']);
}
