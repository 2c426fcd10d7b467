import type { IncomingHttpHeaders } from 'node:http'
import { BerthError, messageOf } from '@berth/core'
import type { Logger } from 'pino'
import { FailureLimit } from '../auth/failure-limit.ts'
import type { Identity } from '../auth/identity.ts'
import type { Records, State } from '../records/index.ts'
import type { Relay } from '../relay/relay.ts'
import type { Pipelines } from './pipelines.ts'
import type { RepositoryLooks } from './repository-looks.ts'
import { readDelivery } from './webhook-payload.ts'
import { verifySignature } from './webhook-signature.ts'

export interface WebhooksOptions {
  readonly records: Records
  readonly state: State
  readonly pipelines: Pick<Pipelines, 'secretOf'>
  readonly looks: Pick<RepositoryLooks, 'look'>
  readonly relay: Pick<Relay, 'toLeader'>
  readonly log: Logger
  readonly limit?: FailureLimit
  readonly now?: () => number
}

export interface DeliveredHook {
  readonly app: string
  readonly headers: IncomingHttpHeaders
  readonly body: Buffer
  /** Address of who sends it. */
  readonly remote: string
  readonly signal: AbortSignal
}

/** What the forge's page of deliveries shows. */
export interface HookAnswer {
  readonly status: 200 | 202
  readonly body: { readonly message: string; readonly builds?: readonly string[] }
}

/** A forge gives up after ten seconds; the look goes on. */
const patienceMs = 8_000
/** Of refused deliveries of one app, at most one event in this time: whoever forges must not fill the store. */
const eventEveryMs = 60_000
const maxTold = 1_000

/**
 * Takes deliveries of GitHub, GitLab and Gitea. A right signature says that something was pushed, and no more: what was pushed is asked of
 * the repository itself. So a delivery that comes again builds nothing, and one that is lost is made up for by the next look.
 */
export class Webhooks {
  readonly #options: WebhooksOptions
  readonly #limit: FailureLimit
  readonly #now: () => number
  readonly #told = new Map<string, number>()

  constructor(options: WebhooksOptions) {
    this.#options = options
    this.#now = options.now ?? Date.now
    const refusal = { code: 'hook.too-many-failures', what: 'too many deliveries with a wrong signature' }
    // Forges send for many from one address, and no secret of 32 bytes is guessed: this bounds work and logs.
    this.#limit = options.limit ?? new FailureLimit({ refusal, perName: 60, perAddress: 300 })
  }

  /** Before the body is read. Throws `hook.too-many-failures`. */
  check(remote: string, app: string): void {
    this.#limit.check(remote, app)
  }

  /** Throws `hook.bad-signature`, also for apps that are not there or take none: who has no secret learns nothing. */
  async receive({ app, headers, body, remote, signal }: DeliveredHook): Promise<HookAnswer> {
    const forge = verifySignature(headers, body, this.#options.pipelines.secretOf(app))
    if (forge === undefined) {
      this.#limit.failed(remote, app)
      await this.#tellRefused(app, remote)
      throw new BerthError(
        'hook.bad-signature',
        `the delivery for ${app} is not signed with its secret; make a new one with berth pipeline webhook ${app}`,
      )
    }
    const delivery = readDelivery(forge, headers, body)
    if (delivery.type === 'ignored') return { status: 200, body: { message: delivery.why } }
    const refs = delivery.ref === undefined ? [] : [delivery.ref]
    const look = this.#look(app, refs, signal)
    const timeUp = new Promise<undefined>((resolve) => setTimeout(() => resolve(undefined), patienceMs).unref())
    const builds = await Promise.race([look, timeUp])
    if (builds === undefined) return { status: 202, body: { message: 'the repository is being asked' } }
    const message = builds.length === 0 ? 'nothing is new there that is built' : `builds ${builds.join(', ')}`
    return { status: 202, body: { message, builds } }
  }

  async #look(app: string, refs: readonly string[], signal: AbortSignal): Promise<readonly string[]> {
    const { relay, looks, log } = this.#options
    try {
      const leader = await relay.toLeader('builds', identityOf(app), signal)
      if (leader === undefined) {
        const { builds } = await looks.look(app, { by: 'webhook', hinted: refs, signal })
        return builds.map(({ id }) => id)
      }
      const body = { refs: [...refs], by: 'webhook' as const }
      const answer = await leader.call('lookAtPipeline', { params: { app }, body }, { signal })
      return answer.builds.map(({ id }) => id)
    } catch (error) {
      log.warn({ err: error, app }, `look for what was pushed to ${app}: ${messageOf(error)}`)
      throw error
    }
  }

  async #tellRefused(app: string, remote: string): Promise<void> {
    const { records, state, log } = this.#options
    const now = this.#now()
    if (!state.apps.has(app) || now - (this.#told.get(app) ?? Number.NEGATIVE_INFINITY) < eventEveryMs) return
    if (this.#told.size >= maxTold) this.#told.clear()
    this.#told.set(app, now)
    const message = `a webhook for ${app} from ${remote || 'this machine'} was refused: it is not signed with its secret`
    await records
      .commit('system:hooks', (tx) => tx.event({ type: 'hook.refused', subject: { app }, message }))
      .catch((error: unknown) => log.warn({ err: error, app }, `write that a webhook was refused: ${messageOf(error)}`))
  }
}

const identityOf = (app: string): Identity => ({ actor: `pipeline:${app}`, role: 'deployer' })
