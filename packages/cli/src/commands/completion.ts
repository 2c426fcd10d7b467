import { BerthError } from '@berth/core'
import type { Command, Option } from 'commander'
import { type CommandContext, createContext } from '../command-context.ts'
import { Contexts } from '../context/contexts.ts'
import { action, interruption } from './command.ts'

/** Kept short: a shell that waits for Tab must never hang on a server that is away. */
const answerMs = 800

export function registerCompletion(program: Command): void {
  program
    .command('completion')
    .summary('completion for bash, zsh or fish')
    .argument('<shell>', 'bash, zsh or fish')
    .addHelpText(
      'after',
      "\nbash: echo 'source <(berth completion bash)' >> ~/.bashrc\nzsh:  echo 'source <(berth completion zsh)' >> ~/.zshrc\nfish: berth completion fish > ~/.config/fish/completions/berth.fish",
    )
    .action(
      action(async ({ out }, [shell = '']) => {
        const script = scripts[shell]
        if (script === undefined)
          throw new BerthError('usage.shell', `completion ${shell}: there is bash, zsh and fish`)
        out.text(script)
      }),
    )
  program
    .command('__complete', { hidden: true })
    .argument('[words...]')
    .passThroughOptions()
    .allowUnknownOption()
    .action(async (words: string[]) => {
      const found = await complete(program, words)
      process.stdout.write(found.map((each) => `${each}\n`).join(''))
    })
}

/** `words`: everything after `berth`, the last one being completed (may be empty). */
export async function complete(
  program: Command,
  words: readonly string[],
  values = liveValues(program),
): Promise<string[]> {
  const last = words.at(-1) ?? ''
  const { command, position, option } = placeOf(program, words.slice(0, -1))
  const starts = (each: string) => each.startsWith(last)
  if (option !== undefined) return (option.argChoices ?? (await optionValues(option, values))).filter(starts)
  if (last.startsWith('-')) return [...command.options.flatMap((each) => each.long ?? []), '--help'].filter(starts)
  if (command.commands.length > 0)
    return command.commands
      .filter((each) => !each.name().startsWith('__'))
      .map((each) => each.name())
      .filter(starts)
  return (await argumentValues(command, position, values)).filter(starts)
}

interface Place {
  readonly command: Command
  /** How many arguments of the command come before. */
  readonly position: number
  /** The option whose value is being completed. */
  readonly option?: Option
}

function placeOf(program: Command, before: readonly string[]): Place {
  let command = program
  let position = 0
  for (let at = 0; at < before.length; at += 1) {
    const word = before[at] ?? ''
    const known = [...command.options, ...program.options]
    const option = known.find((each) => each.short === word || each.long === word)
    if (option !== undefined && takesValue(option)) {
      if (at === before.length - 1) return { command, position, option }
      at += 1
    }
    if (word.startsWith('-')) continue
    const next = command.commands.find((each) => each.name() === word || each.aliases().includes(word))
    if (next === undefined) position += 1
    else command = next
  }
  return { command, position }
}

const takesValue = (option: Option): boolean => option.required || option.optional

type Kind = 'apps' | 'targets' | 'instances' | 'nodes' | 'rollouts' | 'builds' | 'contexts' | 'environments' | 'groups'
type Values = (kind: Kind) => Promise<string[]>

const kindOfOption: Readonly<Record<string, Kind>> = {
  environment: 'environments',
  context: 'contexts',
  node: 'nodes',
  app: 'apps',
}

async function optionValues(option: Option, values: Values): Promise<string[]> {
  if (option.attributeName() === 'output') return ['table', 'wide', 'json', 'yaml', 'name']
  const kind = kindOfOption[option.attributeName()]
  return kind === undefined ? [] : values(kind)
}

async function argumentValues(command: Command, position: number, values: Values): Promise<string[]> {
  const own = command.registeredArguments
  const argument = own[position] ?? (own.at(-1)?.variadic === true ? own.at(-1) : undefined)
  switch (argument?.name()) {
    case 'instance':
      return [...(await values('instances')), ...(command.name() === 'exec' ? await values('targets') : [])]
    case 'node':
      return values('nodes')
    case 'group':
      return values('groups')
    case 'rollout':
      return [...(await values('rollouts')), ...(await values('apps'))]
    case 'id':
      return values('builds')
    case 'context':
      return values('contexts')
    case 'app':
      return values('apps')
    case 'target':
      return values('targets')
    case 'shell':
      return Object.keys(scripts)
    default:
      return []
  }
}

const liveValues =
  (program: Command): Values =>
  async (kind) => {
    try {
      if (kind === 'contexts') return Object.keys(new Contexts().read().contexts)
      const context = createContext(program, AbortSignal.any([interruption, AbortSignal.timeout(answerMs)]))
      return await namesOf(context, kind)
    } catch {
      return []
    }
  }

async function namesOf({ client, signal }: CommandContext, kind: Kind): Promise<string[]> {
  if (kind === 'instances')
    return (await client.list('listInstances', {}, { signal })).items.flatMap((each) => [each.name, each.id])
  if (kind === 'nodes') return (await client.list('listNodes', {}, { signal })).items.map((each) => each.name)
  if (kind === 'groups') return (await client.list('listGroups', {}, { signal })).items.map((each) => each.name)
  if (kind === 'rollouts') return (await client.list('listRollouts', {}, { signal })).items.map((each) => each.id)
  if (kind === 'builds') return (await client.list('listBuilds', {}, { signal })).items.map((each) => each.id)
  const { items } = await client.list('listApps', {}, { signal })
  if (kind === 'apps') return items.map((each) => each.name)
  if (kind === 'environments') return [...new Set(items.flatMap((each) => each.pools.map((pool) => pool.name)))]
  return items.flatMap((each) => [
    each.name,
    ...each.pools.flatMap((pool) => pool.entrypoints.map((entry) => `${each.name}/${entry.name}`)),
  ])
}

const scripts: Readonly<Record<string, string>> = {
  bash: `_berth() {
  local IFS=$'\\n'
  COMPREPLY=($(berth __complete -- "\${COMP_WORDS[@]:1:COMP_CWORD}" 2>/dev/null))
}
complete -o default -F _berth berth
`,
  zsh: `#compdef berth
_berth() {
  local -a found
  found=("\${(@f)$(berth __complete -- "\${words[@]:1:$((CURRENT-1))}" 2>/dev/null)}")
  compadd -a found
}
compdef _berth berth
`,
  fish: `complete -c berth -f -a '(berth __complete -- (commandline -opc)[2..-1] (commandline -ct) 2>/dev/null)'
`,
}
