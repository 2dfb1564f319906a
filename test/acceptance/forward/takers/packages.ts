import { createHash } from 'node:crypto';
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { run } from '../../../support/child.ts';
import { folder, hashOf, runWith, someContent, type Taker } from '../taker.ts';
import { zip } from '../zip.ts';

/** pip, from an index in HTML. */
export const pip: Taker = {
  name: 'pip',
  async prepare({ web, dir }) {
    const name = 'shoal_demo-1.0-py3-none-any.whl';
    await zip(join(dir, name), {
      'shoal_demo/data': someContent(),
      'shoal_demo-1.0.dist-info/METADATA': 'Metadata-Version: 2.1\nName: shoal-demo\nVersion: 1.0\n',
      'shoal_demo-1.0.dist-info/WHEEL': 'Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n',
      'shoal_demo-1.0.dist-info/RECORD': '',
    });
    const content = readFileSync(join(dir, name));
    const path = `/packages/aa/bb/${name}`;
    web.put(path, content);
    web.put('/simple/shoal-demo/', `<a href="${path}#sha256=${hashOf(content)}">${name}</a>`, 'text/html');
    const [server = ''] = web.host.split(':');
    return {
      content,
      index: '/simple/shoal-demo/',
      sent: () => web.sent(path),
      async take(proxy, out) {
        const index = ['--index-url', web.url('/simple'), '--trusted-host', server, '--proxy', proxy];
        const flags = [
          '--isolated',
          '--disable-pip-version-check',
          'download',
          '--no-deps',
          '--no-cache-dir',
        ];
        await runWith({ PIP_CONFIG_FILE: '/dev/null' }, 'pip3', ...flags, ...index, '-d', out, 'shoal-demo');
        return readFileSync(join(out, name));
      },
    };
  },
};

/** npm, from a registry that knows one package. */
export const npm: Taker = {
  name: 'npm',
  async prepare({ web, dir }) {
    const manifest = { name: 'shoal-demo', version: '1.0.0' };
    const content = someContent();
    writeFileSync(join(folder(dir, 'package'), 'package.json'), JSON.stringify(manifest));
    writeFileSync(join(dir, 'package/data'), content);
    await run(['tar', '-C', dir, '-czf', join(dir, 'package.tgz'), 'package']);
    const tarball = readFileSync(join(dir, 'package.tgz'));
    const path = '/shoal-demo/-/shoal-demo-1.0.0.tgz';
    web.put(path, tarball);
    const integrity = `sha512-${createHash('sha512').update(tarball).digest('base64')}`;
    const dist = { tarball: web.url(path), integrity };
    const versions = { '1.0.0': { ...manifest, dist } };
    const packument = { ...manifest, 'dist-tags': { latest: '1.0.0' }, versions };
    web.put('/shoal-demo', JSON.stringify(packument), 'application/json');
    return {
      content,
      index: '/shoal-demo',
      sent: () => web.sent(path),
      async take(proxy, out) {
        for (const [file, text] of [
          ['package.json', '{}'],
          ['.npmrc', ''],
        ] as const) {
          writeFileSync(join(out, file), text);
        }
        const ways = ['--registry', web.url('/'), '--proxy', proxy, '--noproxy', ''];
        const flags = ['--prefix', out, '--cache', join(out, 'cache'), '--no-audit', '--no-fund'];
        const env = { npm_config_userconfig: join(out, '.npmrc') };
        await runWith(env, 'npm', 'install', ...flags, ...ways, 'shoal-demo');
        return readFileSync(join(out, 'node_modules/shoal-demo/data'));
      },
    };
  },
};

/** apt, from a repository with its index by hash. */
export const apt: Taker = {
  name: 'apt',
  async prepare({ web, dir }) {
    const about = ['Package: shoal-demo', 'Version: 1.0', 'Architecture: all', 'Description: a demo'];
    const control = `${[...about, 'Maintainer: Nobody <nobody@example.org>'].join('\n')}\n`;
    writeFileSync(join(folder(dir, 'tree/DEBIAN'), 'control'), control);
    writeFileSync(join(dir, 'tree/data'), someContent());
    await run(['dpkg-deb', '-Znone', '--build', join(dir, 'tree'), join(dir, 'demo.deb')]);
    const content = readFileSync(join(dir, 'demo.deb'));
    const path = '/debian/pool/main/s/shoal-demo/shoal-demo_1.0_all.deb';
    web.put(path, content);
    const place = `Filename: ${path.slice('/debian/'.length)}\nSize: ${content.length}`;
    const packages = Buffer.from(`${control}${place}\nSHA256: ${hashOf(content)}\n\n`);
    const listed = 'main/binary-amd64/Packages';
    const byHash = `/debian/dists/stable/main/binary-amd64/by-hash/SHA256/${hashOf(packages)}`;
    web.put(byHash, packages);
    const release = [
      ...['Origin: Demo', 'Suite: stable', 'Codename: stable', 'Date: Wed, 01 Jul 2026 00:00:00 UTC'],
      ...['Architectures: amd64', 'Components: main', 'Acquire-By-Hash: yes', 'SHA256:'],
      ` ${hashOf(packages)} ${packages.length} ${listed}`,
    ];
    web.put('/debian/dists/stable/Release', `${release.join('\n')}\n`, 'text/plain');
    return {
      content,
      index: '/debian/dists/stable/Release',
      sent: () => web.sent(path) + web.sent(byHash),
      async take(proxy, root) {
        for (const part of ['state/lists/partial', 'cache/archives/partial', 'etc', 'out'])
          folder(root, part);
        writeFileSync(join(root, 'status'), '');
        const source = `deb [trusted=yes arch=amd64] ${web.url('/debian')} stable main\n`;
        writeFileSync(join(root, 'etc/sources.list'), source);
        const settings = {
          'Dir::State': join(root, 'state'),
          'Dir::State::status': join(root, 'status'),
          'Dir::Cache': join(root, 'cache'),
          'Dir::Etc': join(root, 'etc'),
          'APT::Architecture': 'amd64',
          'APT::Sandbox::User': 'root',
          'Acquire::Languages': 'none',
          'Acquire::http::Proxy': proxy,
        };
        const flags = Object.entries(settings).flatMap(([name, value]) => ['-o', `${name}=${value}`]);
        await run(['apt-get', ...flags, 'update']);
        const download = `cd '${join(root, 'out')}' && apt-get "$@" download shoal-demo`;
        await run(['sh', '-c', download, 'sh', ...flags]);
        const [name = ''] = readdirSync(join(root, 'out'));
        return readFileSync(join(root, 'out', name));
      },
    };
  },
};
