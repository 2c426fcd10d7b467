import { BerthError } from '@berth/core'
import type { Command } from 'commander'
import { type CommandContext, createContext } from '../command-context.ts'
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
  let command = program
  for (const word of words.slice(0, -1)) {
    const next = command.commands.find((each) => each.name() === word || each.aliases().includes(word))
    if (next !== undefined) command = next
  }
  const starts = (each: string) => each.startsWith(last)
  if (last.startsWith('-')) return command.options.flatMap((each) => each.long ?? []).filter(starts)
  const before = words.at(-2)
  if (before === '-e' || before === '--environment') return (await values('environments')).filter(starts)
  if (before === '-o' || before === '--output') return ['table', 'wide', 'json', 'yaml', 'name'].filter(starts)
  if (command.commands.length > 0)
    return command.commands
      .filter((each) => !each.name().startsWith('__'))
      .map((each) => each.name())
      .filter(starts)
  return (await values(kindOf(command))).filter(starts)
}

type Kind = 'apps' | 'instances' | 'nodes' | 'rollouts' | 'builds' | 'contexts' | 'environments' | 'none'

function kindOf(command: Command): Kind {
  const first = command.registeredArguments[0]?.name()
  const parent = command.parent?.name()
  if (first === 'instance') return 'instances'
  if (first === 'node') return 'nodes'
  if (first === 'id') return parent === 'rollout' ? 'rollouts' : 'builds'
  return first === 'app' || first === 'target' ? 'apps' : 'none'
}

const liveValues =
  (program: Command) =>
  async (kind: Kind): Promise<string[]> => {
    if (kind === 'none' || kind === 'contexts') return []
    try {
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
  if (kind === 'rollouts') return (await client.list('listRollouts', {}, { signal })).items.map((each) => each.id)
  if (kind === 'builds') return (await client.list('listBuilds', {}, { signal })).items.map((each) => each.id)
  const { items } = await client.list('listApps', {}, { signal })
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
