import {
  answerName,
  indexNames,
  type NameAnswer,
  type NameIndex,
  type NameQuestionType,
  poolOfAsker,
} from '@berth/core'
import {
  type AnswerTemplate,
  encodeAnswer,
  failureTemplate,
  makeAuthorityTemplate,
  makeTemplate,
  type Zone,
} from './answer-template.ts'
import { type Query, questionKey, readName, recordClass, recordType, responseCode } from './message.ts'
import type { NetdState } from './netd-state.ts'

/** Names asked for at random must not fill the memory: above this many, the templates are made anew. */
const maxTemplates = 20_000

const unavailable = failureTemplate(responseCode.serverFailure)
const refused = failureTemplate(responseCode.refused)

/** Somebody else's name has to be looked up first. */
export interface Alias {
  readonly target: string
}

interface Decision {
  /** undefined: not a name of Berth's. */
  readonly template: AnswerTemplate | Alias | undefined
  /** Counted by question, so that look-ups of A and AAAA in pairs do not make it stand still. */
  turn: number
}

/** Where the name is not known to be Berth's or not, and nobody else can know it: asked again, it may be answered. */
const defaultDomain = 'berth'

/**
 * Answers for Berth's own names out of one state of them; a change of the state makes a new one. What was decided once is kept by
 * asker's pool and question, so that most queries cost a look-up and a copy.
 */
export class OwnNames {
  readonly #index: NameIndex | undefined
  readonly #zone: Zone
  readonly #decisions = new Map<string | undefined, Map<string, Decision>>()
  #kept = 0

  constructor({ names, network, instances }: Partial<NetdState>) {
    this.#index = names === undefined || network === undefined ? undefined : indexNames(names, network, instances)
    this.#zone = { domain: network?.domain ?? defaultDomain, serial: names?.version ?? 0 }
  }

  /** undefined when the question is somebody else's to answer. `limit` is the longest answer that can be sent, in bytes. */
  answer(query: Query, askerAddress: string, limit: number): Buffer | Alias | undefined {
    const pool = this.#index === undefined ? undefined : poolOfAsker(this.#index, askerAddress)
    const decision = this.#decide(query, pool)
    const { template } = decision
    return template === undefined || 'target' in template
      ? template
      : encodeAnswer(query, template, decision.turn++, limit)
  }

  #decide(query: Query, pool: string | undefined): Decision {
    let ofPool = this.#decisions.get(pool)
    if (ofPool === undefined) {
      ofPool = new Map()
      this.#decisions.set(pool, ofPool)
    }
    const key = questionKey(query)
    const kept = ofPool.get(key)
    if (kept !== undefined) return kept
    const decision: Decision = { template: this.#makeTemplate(query, pool), turn: 0 }
    ofPool.set(key, decision)
    if (++this.#kept >= maxTemplates) {
      this.#decisions.clear()
      this.#kept = 0
    }
    return decision
  }

  #makeTemplate(query: Query, pool: string | undefined): Decision['template'] {
    const name = readName(query.packet)
    const isDomain = name === this.#zone.domain
    if (query.type === recordType.AXFR || query.type === recordType.IXFR) return refused
    if (query.class !== recordClass.IN && query.class !== recordClass.ANY) return refused
    if (this.#index === undefined) return isDomain || name.endsWith(`.${this.#zone.domain}`) ? unavailable : undefined
    const answer = answerName(this.#index, { name, type: questionType(query.type) }, pool)
    if (answer.kind === 'elsewhere') return undefined
    if (answer.kind === 'alias') return answer
    return isDomain && query.type === recordType.SOA
      ? makeAuthorityTemplate(this.#zone)
      : makeTemplate(answer, this.#zoneOf(answer))
  }

  #zoneOf(answer: NameAnswer): Zone {
    const domain = 'zone' in answer ? answer.zone : undefined
    return domain === undefined ? this.#zone : { ...this.#zone, domain }
  }
}

function questionType(type: number): NameQuestionType {
  switch (type) {
    case recordType.A:
    case recordType.ANY:
      return 'A'
    case recordType.AAAA:
      return 'AAAA'
    case recordType.SRV:
      return 'SRV'
    case recordType.PTR:
      return 'PTR'
    default:
      return 'other'
  }
}
