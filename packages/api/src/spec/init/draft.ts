import { splitCommand } from '@berth/core'

/** What was found out about a repository, before it is written as a `berth.yaml`. */
export interface Draft {
  /** One line for people: `Next.js, from package.json`. */
  readonly found: string
  readonly name?: string
  readonly build: DraftBuild
  readonly entrypoints: readonly DraftEntrypoint[]
  /** Jobs to run before a rollout. */
  readonly before?: readonly string[]
  /** What the owner should know or decide; written as comments, and told by `berth init`. */
  readonly notes?: readonly string[]
}

export type DraftBuild =
  | { readonly dockerfile: string }
  | {
      readonly base: string
      readonly dependencies?: { readonly files: readonly string[]; readonly run: string }
      readonly run?: readonly string[]
    }

export interface DraftEntrypoint {
  readonly name: string
  readonly type?: 'job'
  /** Absent: the image's own. */
  readonly command?: readonly string[]
  readonly ports?: readonly number[]
  readonly healthPath?: string
  readonly env?: Readonly<Record<string, string>>
  readonly comment?: string
}

/** A command line as the words that run without a shell, or in one where it needs it. */
export function commandLine(text: string): readonly string[] {
  const line = text.replaceAll('\0', '').trim()
  const words = splitCommand(line)
  return words.ok && words.value[0] !== '' ? words.value : ['sh', '-c', line]
}

export const job = (name: string, command: string, comment?: string): DraftEntrypoint => ({
  name,
  type: 'job',
  command: commandLine(command),
  ...(comment === undefined ? {} : { comment }),
})

/** The first number that looks like a port in what the source says about listening. */
export function findPort(source: string): number | undefined {
  const listening =
    /(?:\bPORT\b[^0-9\n]{1,20}|\blisten\(\s*(?:\{[^}]{0,40}port:\s*)?|--port[= ]|\bport\s*=\s*)([0-9]{2,5})\b/
  const port = Number(listening.exec(source)?.[1])
  return port >= 1 && port <= 65_535 ? port : undefined
}
