import { BerthError } from '@berth/core'

/**
 * Why a call of the engine failed. The part after `engine.` is also the `messageCode` of an instance whose step failed.
 */
export type EngineErrorCode =
  | 'engine.unreachable'
  | 'engine.timeout'
  | 'engine.too-old'
  | 'engine.too-new'
  | 'engine.not-found'
  | 'engine.image-missing'
  | 'engine.name-taken'
  | 'engine.address-taken'
  | 'engine.port-taken'
  | 'engine.disk-full'
  | 'engine.command-not-found'
  | 'engine.mount-missing'
  | 'engine.network-missing'
  | 'engine.not-running'
  | 'engine.image-unavailable'
  | 'engine.cores-missing'
  | 'engine.memory-in-use'
  | 'engine.rejected'
  | 'engine.failed'

interface Rule {
  readonly code: EngineErrorCode
  readonly when: RegExp
  readonly status?: number
  /** What to do next. */
  readonly next?: string
}

/** First match wins. The texts are those of Docker 20.10 to 29 and of the runtimes below it. */
const rules: readonly Rule[] = [
  { code: 'engine.too-new', when: /client version .* is too old/i, next: 'update berth on this node' },
  {
    code: 'engine.disk-full',
    when: /no space left on device|disk quota exceeded/i,
    next: 'free space (docker system df) or add a disk',
  },
  { code: 'engine.image-missing', status: 404, when: /no such image|image .*not found/i },
  {
    code: 'engine.image-unavailable',
    when: /pull access denied|requested access to the resource is denied|manifest (for .*)?(unknown|not found)|repository .* not found|failed to resolve reference|error response from registry|dial tcp|no such host|tls: |unauthorized|no basic auth credentials|authentication required/i,
    next: 'check the reference, the way to the registry, and the login there (berth registry login)',
  },
  { code: 'engine.name-taken', status: 409, when: /is already in use by container/i },
  {
    code: 'engine.port-taken',
    when: /port is already allocated|failed to bind (host )?port|listen (tcp|udp)\d? .*address already in use|bind: address already in use/i,
    next: 'choose another hostPort or stop what uses it (ss -ltnp)',
  },
  {
    code: 'engine.address-taken',
    when: /address already in use|requested address is not available/i,
    next: 'see which container has it (docker network inspect, of berth for the cluster’s)',
  },
  {
    code: 'engine.network-missing',
    when: /network [^ ]+ not found|could not find network|no such network/i,
    next: 'the agent makes it as soon as the server has told the network',
  },
  {
    code: 'engine.command-not-found',
    when: /executable file not found|no such file or directory: unknown|exec format error|permission denied: unknown/i,
    next: 'check the command in berth.yaml against what the image holds',
  },
  { code: 'engine.mount-missing', when: /bind source path does not exist/i, next: 'create the directory on the node' },
  {
    code: 'engine.cores-missing',
    when: /requested cpus are not available/i,
    next: 'see which cores are online (/sys/devices/system/cpu/online); place the instance anew',
  },
  {
    code: 'engine.memory-in-use',
    when: /device or resource busy.*memory|memory.*device or resource busy/i,
    next: 'it uses more than that now',
  },
  // A moment later it is gone altogether.
  { code: 'engine.not-found', status: 409, when: /dead or marked for removal/i },
  { code: 'engine.not-running', when: /is not running|container .* is paused/i },
  { code: 'engine.not-found', status: 404, when: /./ },
]

/** Docker's own ids are other ones at each attempt: the same failure would look like a new one every time. */
const withoutIds = (text: string): string => text.replace(/ \([0-9a-f]{64}\)/g, '')

/** An answer with a status of 400 and above, as an error that says what was attempted. */
export function engineError(action: string, status: number, text: string): BerthError {
  const rule = rules.find((each) => (each.status === undefined || each.status === status) && each.when.test(text))
  const code = rule?.code ?? (status < 500 ? 'engine.rejected' : 'engine.failed')
  const next = rule?.next === undefined ? '' : `; ${rule.next}`
  return new BerthError(code, `${action}: ${withoutIds(text.trim())}${next}`, {
    retryable: status >= 500 || code === 'engine.port-taken' || code === 'engine.disk-full',
    details: { status },
  })
}

const unreachable = new Set(['ECONNREFUSED', 'ENOENT', 'ECONNRESET', 'EPIPE', 'EACCES', 'ENOTSOCK', 'ENOTCONN'])

/** A failure below HTTP. An abort keeps its reason. */
export function transportError(action: string, socketPath: string, error: unknown, signal?: AbortSignal): unknown {
  if (signal?.aborted === true) return signal.reason
  if (error instanceof BerthError) return error
  const code = (error as NodeJS.ErrnoException).code ?? ''
  const lost = unreachable.has(code) || /socket hang up|aborted/.test(String(error))
  const text = error instanceof Error ? error.message : String(error)
  return lost
    ? new BerthError('engine.unreachable', `${action}: Docker at ${socketPath} does not answer (${text})`, {
        retryable: true,
        cause: error,
      })
    : new BerthError('engine.failed', `${action}: ${text}`, { retryable: true, cause: error })
}

export const timeoutError = (action: string, timeoutMs: number): BerthError =>
  new BerthError('engine.timeout', `${action}: Docker gave no answer within ${timeoutMs / 1000} s`, { retryable: true })

/** True for failures of the engine itself, which say nothing about what it was asked to do. */
export const isEngineDown = (error: unknown): boolean =>
  error instanceof BerthError && (error.code === 'engine.unreachable' || error.code === 'engine.timeout')

export const hasCode = (error: unknown, code: EngineErrorCode): boolean =>
  error instanceof BerthError && error.code === code
