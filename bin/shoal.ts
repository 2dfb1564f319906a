import { Command, CommanderError } from 'commander';
import { VERSION } from '../app/version.ts';
import { toShoalError } from '../core/errors.ts';
import { addAuth } from './commands/auth.ts';
import { addCache } from './commands/cache.ts';
import { addConfigure } from './commands/configure.ts';
import { addDaemons } from './commands/daemons.ts';
import { addDoctor } from './commands/doctor.ts';
import { addEvents } from './commands/events.ts';
import { addFiles } from './commands/files.ts';
import { addGet } from './commands/get.ts';
import { addJobs } from './commands/jobs.ts';
import { addKubernetes } from './commands/kubernetes.ts';
import { addProxy } from './commands/proxy.ts';
import { addReading } from './commands/reading.ts';
import { addShell } from './commands/shell.ts';
import { addSim } from './commands/sim.ts';
import { addToken } from './commands/token.ts';
import { addTop } from './commands/top.ts';
import { exitCodesText } from './exit-codes.ts';
import { example } from './help.ts';
import { print } from './print.ts';
import { errorJson, errorText } from './report-error.ts';

const USAGE = 2;

/** Commands by what they are for; help lists them so. */
const GROUPS: Readonly<Record<string, readonly string[]>> = {
  'Run a swarm:': ['up', 'scheduler', 'seed', 'peer', 'gateway'],
  'Get and spread content:': [
    'get',
    'import',
    'export',
    'stat',
    'verify',
    'cache',
    'preheat',
    'pin',
    'evict',
    'job',
  ],
  'See what happens:': ['top', 'doctor', 'status', 'image', 'task', 'explain', 'host', 'events'],
  'Set up clients and logins:': ['configure', 'proxy', 'auth', 'token', 'kubernetes'],
  'Other:': ['sim', 'version', 'completion', 'man', 'help'],
};

function createProgram(): Command {
  const program = new Command('shoal')
    .description(
      'Distributes container images and files inside a cluster: every machine that downloads also uploads, so the origin is read once.',
    )
    .version(VERSION)
    .exitOverride()
    .showSuggestionAfterError()
    .configureHelp({ showGlobalOptions: false })
    .addHelpText('after', exitCodesText());
  const scheduler = addDaemons(program);
  addGet(program);
  addFiles(program);
  addCache(program);
  addJobs(program);
  addReading(program, scheduler);
  addDoctor(program);
  addTop(program);
  addEvents(program);
  addConfigure(program);
  addProxy(program);
  addAuth(program);
  addToken(program);
  addKubernetes(program);
  addSim(program);
  addShell(program);
  program
    .command('version')
    .summary('print the version')
    .description('Print the version.')
    .addHelpText('after', example('shoal version'))
    .action(() => print(`${VERSION}\n`));
  for (const [heading, names] of Object.entries(GROUPS)) {
    for (const command of program.commands) if (names.includes(command.name())) command.helpGroup(heading);
  }
  pointToHelp(program);
  return program;
}

/** A usage error ends with where to read on. */
function pointToHelp(command: Command): void {
  command.showHelpAfterError('(see --help)');
  for (const each of command.commands) pointToHelp(each);
}

async function main(argv: readonly string[]): Promise<number> {
  // Whoever reads our output may leave at any time; the write itself tells.
  process.stdout.on('error', () => undefined);
  try {
    await createProgram().parseAsync(argv);
    return 0;
  } catch (error) {
    // Commander has printed its own message, help or version.
    if (error instanceof CommanderError) return error.exitCode === 0 ? 0 : USAGE;
    process.stderr.write(argv.includes('--json') ? errorJson(error) : errorText(error));
    return toShoalError(error).exit;
  }
}

void main(process.argv).then((code) => {
  // What is left open by then is nobody's any more.
  process.exit(code);
});
