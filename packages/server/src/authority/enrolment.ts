import { X509Certificate } from 'node:crypto'
import {
  BerthError,
  chooseBlock,
  defaultGroupName,
  isName,
  type Node,
  nameRule,
  proposeName,
  siteLabel,
} from '@berth/core'
import { isLentIn } from '../addresses/lenders.ts'
import { addressPoolsOf, blocksFence } from '../addresses/pools-of.ts'
import { FailureLimit, type FailureLimitOptions } from '../auth/failure-limit.ts'
import { sameHash } from '../auth/token-text.ts'
import type { CallContext } from '../controllers/operations.ts'
import { requireGroup } from '../groups/groups.ts'
import { checkAddress, requireFreeAddress } from '../nodes/address.ts'
import { checkLabels } from '../nodes/labels.ts'
import type { JoinToken, Records, RecordTransaction, State } from '../records/index.ts'
import type { Authority } from './authority.ts'
import { fingerprintOf } from './certificate-checks.ts'
import { createJoinSecret, formatJoinToken, hashJoinSecret, parseJoinToken } from './join-token.ts'

export interface JoinRequest {
  readonly token: string
  readonly name: string
  /** Where other nodes reach it. */
  readonly address: string
  readonly labels: Readonly<Record<string, string>>
  readonly certificateRequestPem: string
  /** The address that asks; guesses are counted by it. */
  readonly from: string
}

export interface NewJoinToken {
  readonly ttlMs: number
  readonly group?: string | undefined
}

export interface Enrolled {
  readonly node: Node
  readonly certificatePem: string
}

export interface EnrolmentOptions {
  readonly records: Records
  readonly authority: Authority
  /** Of the pool `default`: `10.77.0.0/16`. */
  readonly addressPool: string
  readonly limit?: FailureLimit
  readonly now?: () => number
}

/** A person mistypes a token a few times; all machines of a cluster may join in one minute, but they do not fail. */
const guesses: FailureLimitOptions = {
  refusal: { code: 'join.too-many-failures', what: 'too many attempts to join with a wrong token' },
  perName: 10,
  perAddress: 10,
  overall: 200,
}

/** Lets nodes in: one-time tokens for certificates, and the node's block of addresses, in one transaction. */
export class Enrolment {
  readonly #records: Records
  readonly #state: State
  readonly #authority: Authority
  readonly #addressPool: string
  readonly #limit: FailureLimit
  readonly #now: () => number
  #admitting: Promise<unknown> = Promise.resolve()

  constructor(options: EnrolmentOptions) {
    this.#records = options.records
    this.#state = options.records.state
    this.#authority = options.authority
    this.#addressPool = options.addressPool
    this.#now = options.now ?? Date.now
    this.#limit = options.limit ?? new FailureLimit({ ...guesses, now: this.#now })
  }

  async createToken(
    { ttlMs, group }: NewJoinToken,
    context: CallContext,
  ): Promise<{ readonly token: string; readonly expiresAt: number }> {
    const secret = createJoinSecret()
    const createdAt = this.#now()
    const expiresAt = createdAt + ttlMs
    await this.#records.commit(
      context.actor,
      (tx) => {
        this.#forgetExpired(tx)
        if (group !== undefined) this.#requireGroup(tx, group)
        tx.create('joinTokens', {
          ...{ hash: hashJoinSecret(secret), createdAt, createdBy: context.actor, expiresAt },
          ...(group === undefined ? {} : { group }),
        })
        tx.event({
          type: 'node.token-created',
          subject: {},
          message: `join token until ${new Date(expiresAt).toISOString()}`,
        })
      },
      context,
    )
    return { token: formatJoinToken({ secret, fingerprint: this.#authority.fingerprint }), expiresAt }
  }

  /**
   * Throws `join.invalid-token`, `join.wrong-cluster`, `join.token-expired`, `join.token-used`, `join.too-many-failures`,
   * `join.invalid-request`, `node.exists`, `node.invalid-address`, `name.invalid`, `network.pool-exhausted`,
   * `address-pool.none`; the token is used up only when the node is in.
   */
  async join(request: JoinRequest, options: { readonly signal?: AbortSignal } = {}): Promise<Enrolled> {
    const hash = this.#presented(request)
    checkRequest(request)
    this.#requireFree(request)
    const certificatePem = await this.#authority.signNode(request.certificateRequestPem, request.name)
    const { value: node } = await this.#inTurn(() =>
      this.#records.commit(`node:${request.name}`, (tx) => this.#admit(tx, hash, request, certificatePem), options),
    )
    return { node, certificatePem }
  }

  /** All that would keep it out, at once; the token stays unused. Throws `join.too-many-failures` only. */
  problemsOf(
    request: Omit<JoinRequest, 'certificateRequestPem'>,
  ): { readonly code: string; readonly message: string }[] {
    this.#limit.check(request.from, '')
    const problems: BerthError[] = []
    for (const check of [
      () => this.#presented(request),
      () => checkName(request.name),
      () => checkAddress(request),
      () => checkLabels(request.labels),
      () => this.#requireNew(request.name),
      () => this.#requireOwnAddress(request),
    ]) {
      try {
        check()
      } catch (error) {
        if (!(error instanceof BerthError)) throw error
        problems.push(error)
      }
    }
    return problems.map(({ code, message }) => ({ code, message }))
  }

  #requireGroup(tx: RecordTransaction, group: string): void {
    requireGroup(this.#state, group)
    if (group !== defaultGroupName) tx.require('groups', group)
  }

  /** All machines of a cluster may join in one minute: beside each other all but one would lose at the fence of the blocks. */
  #inTurn<T>(act: () => Promise<T>): Promise<T> {
    const result = this.#admitting.then(act)
    this.#admitting = result.catch(() => undefined)
    return result
  }

  #admit(tx: RecordTransaction, hash: string, request: JoinRequest, certificatePem: string): Node {
    const token = this.#usableToken(hash)
    this.#requireFree(request)
    const joinedAt = this.#now()
    const { name, labels, address } = request
    const certificate = {
      certificateFingerprint: fingerprintOf(certificatePem),
      certificateExpiresAt: new X509Certificate(certificatePem).validToDate.getTime(),
    }
    const { group } = token
    if (group !== undefined) this.#requireGroup(tx, group)
    const block = this.#freeBlock(labels, group)
    const node: Node = {
      ...{ name, labels, block, address, schedulable: true, ...certificate, joinedAt },
      ...(group === undefined || group === defaultGroupName ? {} : { group }),
    }
    tx.put('joinTokens', { ...token, usedBy: name }, { ifUnchanged: true })
    tx.put('fences', { node: blocksFence, updatedAt: joinedAt }, { ifUnchanged: true })
    // There from the start: a placement compares it, and so fails when the node is removed meanwhile.
    tx.put('fences', { node: name, updatedAt: joinedAt })
    tx.create('nodes', node)
    tx.event({ type: 'node.joined', subject: { node: name }, message: `${name} joined from ${address} with ${block}` })
    return node
  }

  /** The hash of a token that is good. Guesses are counted, per address and over all. */
  #presented({ token, from }: Pick<JoinRequest, 'token' | 'from'>): string {
    this.#limit.check(from, '')
    try {
      const hash = this.#hashOf(token)
      this.#usableToken(hash)
      return hash
    } catch (error) {
      this.#limit.failed(from, '')
      throw error
    }
  }

  #hashOf(text: string): string {
    const { secret, fingerprint } = parseJoinToken(text)
    if (fingerprint === this.#authority.fingerprint) return hashJoinSecret(secret)
    throw new BerthError(
      'join.wrong-cluster',
      'the join token belongs to another cluster, or this cluster has a new authority; make one here with: berth node token',
    )
  }

  #usableToken(hash: string): JoinToken {
    const token = this.#find(hash)
    // One for a server is of no use to a node.
    if (token === undefined || token.purpose === 'server') {
      throw new BerthError('join.invalid-token', 'the join token is not known; make a new one with: berth node token')
    }
    if (token.usedBy !== undefined) {
      throw new BerthError(
        'join.token-used',
        `the join token was used by node ${token.usedBy} already; each node needs its own: berth node token`,
        { details: { usedBy: token.usedBy } },
      )
    }
    if (this.#now() < token.expiresAt) return token
    throw new BerthError(
      'join.token-expired',
      `the join token expired on ${new Date(token.expiresAt).toISOString()}; make a new one with: berth node token`,
    )
  }

  /** Looked up by the hash, which nobody can choose: how long it takes tells nothing about any token. */
  #find(hash: string): JoinToken | undefined {
    const token = this.#state.joinTokens.get(hash)
    return token !== undefined && sameHash(token.hash, hash) ? token : undefined
  }

  #requireNew(name: string): void {
    if (!this.#state.nodes.has(name)) return
    throw new BerthError(
      'node.exists',
      `there is a node ${name} already; join with another --node, or, if it is the same machine set up anew, first: berth node rm ${name}`,
      { details: { node: name } },
    )
  }

  #requireFree(request: JoinRequest): void {
    this.#requireNew(request.name)
    this.#requireOwnAddress(request)
  }

  #requireOwnAddress(request: Pick<JoinRequest, 'name' | 'address'>): void {
    requireFreeAddress(
      this.#state,
      request,
      (other) =>
        `join with --address, at which others reach this machine, or, if ${other} is this machine before it was set up anew, first: berth node rm ${other}`,
    )
  }

  #freeBlock(labels: JoinRequest['labels'], group = defaultGroupName): string {
    const { nodes } = this.#state
    const pools = addressPoolsOf(this.#state, this.#addressPool)
    const isTaken = (block: string): boolean => nodes.hasBlock(block)
    return chooseBlock(pools, { site: labels[siteLabel], group }, isTaken, isLentIn(this.#state)).block
  }

  /** Used and unused ones alike: after its time a token is just not known. Leaves room in the transaction. */
  #forgetExpired(tx: RecordTransaction): void {
    const expired = this.#state.joinTokens.all().filter((token) => token.expiresAt + tokenMemoryMs < this.#now())
    for (const token of expired.slice(0, 50)) tx.delete('joinTokens', token.hash)
  }
}

/** How long a replay is still called by its name. */
const tokenMemoryMs = 7 * 86_400_000

function checkRequest(request: JoinRequest): void {
  checkName(request.name)
  checkAddress(request)
  checkLabels(request.labels)
}

function checkName(name: string): void {
  if (isName(name)) return
  const proposal = proposeName(name)
  const hint = proposal === undefined ? '' : `; join with --node ${proposal}`
  throw new BerthError('name.invalid', `${JSON.stringify(name)} cannot name a node: use ${nameRule}${hint}`)
}
