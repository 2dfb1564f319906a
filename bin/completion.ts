import { allCommands, type CommandNode, type OptionNode } from './command-tree.ts';

/** Shells that a completion can be written for. */
export const SHELLS = ['bash', 'zsh', 'fish'] as const;
export type Shell = (typeof SHELLS)[number];

/** The script that completes commands and options in a shell; a file name is completed where neither fits. */
export function completionScript(shell: Shell, program: CommandNode): string {
  return { bash, zsh, fish }[shell](program);
}

/** In single quotes: a shell reads nothing in it but the end. */
function quoted(text: string): string {
  return `'${text.replaceAll("'", `'\\''`)}'`;
}

function choicesOf(args: CommandNode['args']): string[] {
  return args.flatMap(({ choices }) => choices);
}

/** Patterns of a `case` that goes one command down. */
function stepsDown(program: CommandNode): string {
  return allCommands(program)
    .slice(1)
    .map(({ path }) => quoted(path))
    .join(' | ');
}

function bash(program: CommandNode): string {
  const all = allCommands(program);
  const words = all.map(({ path, commands, args, options }) => {
    const list = [
      ...commands.map(({ name }) => name),
      ...choicesOf(args),
      ...options.flatMap(({ names }) => names),
    ];
    return `    ${quoted(path)}) words=${quoted(list.join(' '))} ;;`;
  });
  const values = all.flatMap(({ path, options }) =>
    options.filter(({ takesValue }) => takesValue).map((option) => bashValue(path, option)),
  );
  return `# Completion of ${program.name} in bash: source <(${program.name} completion bash)
_${program.name}() {
  local word=\${COMP_WORDS[COMP_CWORD]} before=\${COMP_WORDS[COMP_CWORD - 1]} at=${program.name} words= i
  COMPREPLY=()
  for ((i = 1; i < COMP_CWORD; i++)); do
    case "$at \${COMP_WORDS[i]}" in
    ${stepsDown(program)}) at+=" \${COMP_WORDS[i]}" ;;
    esac
  done
  case "$at $before" in
${values.join('\n')}
  esac
  case "$at" in
${words.join('\n')}
  esac
  COMPREPLY=($(compgen -W "$words" -- "$word"))
}
complete -o default -F _${program.name} ${program.name}
`;
}

/** After an option that takes a value: its choices, or a file name. */
function bashValue(path: string, { names, choices }: OptionNode): string {
  const patterns = names.map((name) => quoted(`${path} ${name}`)).join(' | ');
  if (choices.length === 0) return `    ${patterns}) return ;;`;
  return `    ${patterns}) COMPREPLY=($(compgen -W ${quoted(choices.join(' '))} -- "$word")); return ;;`;
}

function zsh(program: CommandNode): string {
  const all = allCommands(program);
  const entry = (name: string, about: string) => quoted(`${name.replaceAll(':', '\\:')}:${about}`);
  const lists = all.map(({ path, commands, args, options }) => {
    const below = [
      ...commands.map(({ name, summary }) => entry(name, summary)),
      ...choicesOf(args).map((choice) => quoted(choice)),
    ].join(' ');
    const flags = options.flatMap(({ names, about }) => names.map((name) => entry(name, about))).join(' ');
    return `    ${quoted(path)}) commands=(${below}); options=(${flags}) ;;`;
  });
  const values = all.flatMap(({ path, options }) =>
    options
      .filter(({ takesValue }) => takesValue)
      .map(({ names, choices }) => {
        const patterns = names.map((name) => quoted(`${path} ${name}`)).join(' | ');
        if (choices.length === 0) return `    ${patterns}) _files; return ;;`;
        return `    ${patterns}) choices=(${choices.map(quoted).join(' ')}); _describe -t values value choices; return ;;`;
      }),
  );
  return `#compdef ${program.name}
# Completion of ${program.name} in zsh: source <(${program.name} completion zsh), or as _${program.name} in a folder of fpath.
_${program.name}() {
  local at=${program.name} before=\${words[CURRENT-1]} word
  local -a commands options choices
  for word in "\${(@)words[2,CURRENT-1]}"; do
    case "$at $word" in
    ${stepsDown(program)}) at+=" $word" ;;
    esac
  done
  case "$at $before" in
${values.join('\n')}
  esac
  case "$at" in
${lists.join('\n')}
  esac
  (( $#commands )) && _describe -t commands command commands
  if [[ $words[CURRENT] == -* ]]; then _describe -o -t options option options
  elif (( ! $#commands )); then _files; fi
}
if [[ $funcstack[1] == _${program.name} ]]; then _${program.name} "$@"; else compdef _${program.name} ${program.name}; fi
`;
}

function fish(program: CommandNode): string {
  const complete = `complete -c ${program.name}`;
  const lines = allCommands(program).flatMap(({ path, commands, args, options }) => {
    const when = `-n ${quoted(`__${program.name}_at "${path}"`)}`;
    return [
      ...commands.map(
        ({ name, summary }) => `${complete} ${when} -f -a ${quoted(name)} -d ${quoted(summary)}`,
      ),
      ...choicesOf(args).map((choice) => `${complete} ${when} -f -a ${quoted(choice)}`),
      ...options.map(({ names, about, takesValue, choices }) => {
        const flags = names.map((name) =>
          name.startsWith('--') ? `-l ${name.slice(2)}` : `-s ${name.slice(1)}`,
        );
        const value = takesValue ? ' -r' : '';
        const among = choices.length > 0 ? ` -f -a ${quoted(choices.join(' '))}` : '';
        return `${complete} ${when} ${flags.join(' ')}${value}${among} -d ${quoted(about)}`;
      }),
    ];
  });
  const paths = allCommands(program)
    .slice(1)
    .map(({ path }) => quoted(path))
    .join(' ');
  return `# Completion of ${program.name} in fish: ${program.name} completion fish | source
function __${program.name}_at
    set -l at ${program.name}
    for word in (commandline -opc)[2..]
        if contains -- "$at $word" ${paths}
            set at "$at $word"
        end
    end
    test "$at" = "$argv[1]"
end
${lines.join('\n')}
`;
}
