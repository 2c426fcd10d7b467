import type { BuildRequest } from '@berth/api'
import { BerthError } from '@berth/core'
import type { BuildMessage, BuildProgress, BuildStep } from './build-progress.ts'

export interface FailureFacts {
  /** What Docker said. */
  readonly said: string
  /** Exit code of the step's command, if that is what failed. */
  readonly exitCode?: number | undefined
  readonly outOfMemory: boolean
  readonly progress: Pick<BuildProgress, 'step' | 'tail'>
  readonly request: Pick<BuildRequest, 'memoryBytes' | 'dockerfile'>
}

type Rule = (facts: FailureFacts) => BerthError | undefined

const diskFull = /no space left on device|disk quota exceeded/i
const notFound =
  /pull access denied|manifest (for .*)?(unknown|not found)|manifest unknown|not found: manifest|repository .*(not found|does not exist)|No such image|invalid from flag value|failed to resolve reference/i
const noRegistry =
  /dial tcp|no such host|network is unreachable|i\/o timeout|TLS handshake|connection refused|Client\.Timeout|x509:|unexpected EOF|unauthorized|toomanyrequests|error response from registry/i
const badDockerfile =
  /dockerfile parse error|unknown instruction|Cannot locate specified Dockerfile|Dockerfile .* cannot be empty|failed to parse stage name|no build stage in current context|failed to reach build target|target stage .* could not be found|invalid reference format|requires (at least|exactly)|unknown flag|Syntax error - /i
const needsBuildKit = /requires? (the )?BuildKit|--mount option|enable BuildKit|unexpected heredoc/i

/** First match wins. */
const rules: readonly Rule[] = [
  ({ outOfMemory, exitCode, progress, request }) =>
    outOfMemory && exitCode !== undefined
      ? new BerthError(
          'build.out-of-memory',
          `${stepText(progress.step)} ran out of its ${mebibytes(request.memoryBytes)} MiB of memory; raise build.limits.memory in berth.yaml`,
        )
      : undefined,
  ({ said, exitCode, progress }) =>
    diskFull.test(said) || (exitCode !== undefined && progress.tail.some((line) => diskFull.test(line)))
      ? new BerthError(
          'build.disk-full',
          `${stepText(progress.step)} found no space left on the node: free some (docker system df) or add a disk`,
          { retryable: true },
        )
      : undefined,
  ({ said, exitCode, progress }) =>
    exitCode !== undefined
      ? new BerthError(
          'build.step-failed',
          `${stepText(progress.step)} failed with exit code ${exitCode}${killed(exitCode)}`,
          {
            details: { said },
          },
        )
      : undefined,
  ({ said }) =>
    needsBuildKit.test(said)
      ? new BerthError('build.dockerfile-invalid', `the Dockerfile uses what only BuildKit knows: ${oneLine(said)}`)
      : undefined,
  ({ said, progress }) => (isFrom(progress.step) ? baseFailure(said, progress.step) : undefined),
  ({ said, request }) =>
    badDockerfile.test(said)
      ? new BerthError('build.dockerfile-invalid', `${request.dockerfile} cannot be built: ${oneLine(said)}`)
      : undefined,
  ({ said, progress }) =>
    progress.step === undefined
      ? undefined
      : new BerthError('build.step-failed', `${stepText(progress.step)} failed: ${oneLine(said)}`),
]

/** Why a build failed, as an error that names the step and what to do. */
export function buildFailure(facts: FailureFacts): BerthError {
  for (const rule of rules) {
    const error = rule(facts)
    if (error !== undefined) return error
  }
  return new BerthError('build.failed', `Docker could not build it: ${oneLine(facts.said)}`)
}

export const exitCodeOf = ({ errorDetail }: BuildMessage): number | undefined => {
  const code = errorDetail?.code ?? 0
  return code === 0 ? undefined : code
}

/** `step 4 of 7 (npm ci)` */
export function stepText(step: BuildStep | undefined): string {
  return step === undefined ? 'the build' : `step ${step.number} of ${step.total} (${commandOf(step.instruction)})`
}

/** A generated RUN shows the command as its owner wrote it. */
function commandOf(instruction: string): string {
  const words = /^RUN (\[.*\])$/s.exec(instruction)?.[1]
  const text = (words === undefined ? undefined : shellCommand(words)) ?? instruction
  return oneLine(text, 100)
}

function shellCommand(json: string): string | undefined {
  try {
    const argv: unknown = JSON.parse(json)
    if (!Array.isArray(argv)) return undefined
    if (argv[0] !== '/bin/sh') return argv.join(' ')
    // `install` is the name by which the script for packages is called.
    return argv[3] === 'install' ? `install ${argv.slice(4).join(' ')}` : String(argv[2])
  } catch {
    return undefined
  }
}

const isFrom = (step: BuildStep | undefined): step is BuildStep =>
  step !== undefined && /^(FROM|COPY\s.*--from=)/i.test(step.instruction)

function baseFailure(said: string, step: BuildStep): BerthError | undefined {
  const image = /^(?:FROM(?:\s+--\S+)*\s+|COPY.*--from=)(\S+)/i.exec(step.instruction)?.[1] ?? ''
  const what = `base image ${image} is not on the node and cannot be pulled: ${oneLine(said)}`
  if (noRegistry.test(said)) {
    const next = 'check the way to its registry, or use an image that the node has (docs/guides/images.md)'
    return new BerthError('build.base-not-found', `${what}; ${next}`, { retryable: true })
  }
  return notFound.test(said)
    ? new BerthError('build.base-not-found', `${what}; check its name, its tag and the access to it`)
    : undefined
}

const killed = (code: number): string => (code === 137 ? ' (it was killed)' : '')
const mebibytes = (bytes: number): number => Math.round(bytes / 1024 ** 2)

function oneLine(text: string, maxLength = 300): string {
  const line = text.replace(/\s+/g, ' ').trim()
  return line.length > maxLength ? `${line.slice(0, maxLength - 1)}…` : line
}
