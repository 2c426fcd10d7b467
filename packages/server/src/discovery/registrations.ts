import {
  BerthError,
  type CheckStatus,
  fieldsOf,
  type RegisteredCheck,
  type RegisteredService,
  readCheck,
  readRegistration,
  withStatus,
} from '@berth/core'
import type { Records } from '../records/index.ts'

const maxServices = 10_000
/** Of what programs say all the time, so that no person's words are needed. */
const actor = 'system:discovery'

export interface RegistrationsOptions {
  readonly records: Records
  /** When this server heard of a check, whether that was written down or not. */
  readonly heard: Map<string, number>
  readonly isOwnService: (service: string) => boolean
  readonly now?: () => number
}

export interface Registrar {
  readonly actor: string
  readonly address: string
}

/** Services that programs register, with their checks; records of the cluster, so that every server takes them. */
export class Registrations {
  readonly #options: RegistrationsOptions
  readonly #now: () => number

  constructor(options: RegistrationsOptions) {
    this.#options = options
    this.#now = options.now ?? Date.now
  }

  all(): readonly RegisteredService[] {
    return this.#options.records.state.registeredServices.all()
  }

  /** Throws `registration.not-found`. */
  require(id: string): RegisteredService {
    const found = this.#options.records.state.registeredServices.get(id)
    if (found !== undefined) return found
    throw new BerthError(
      'registration.not-found',
      `Unknown service ID ${JSON.stringify(id.slice(0, 100))}. Ensure that the service ID is passed, not the service name.`,
    )
  }

  /** The same again changes nothing but what was said of its checks. Throws `registration.*`. */
  async register(body: unknown, registrar: Registrar): Promise<void> {
    const context = { callerAddress: registrar.address, now: this.#now(), by: registrar.actor }
    const read = readRegistration(body, context)
    if ('problems' in read) throw invalid(read.problems)
    const { value } = read
    if (this.#options.isOwnService(value.name))
      throw new BerthError(
        'registration.name-taken',
        `register ${value.name}: Berth runs a service of this name itself; choose another`,
      )
    const { records } = this.#options
    const { registeredServices } = records.state
    await records.commit(registrar.actor, (tx) => {
      const before = registeredServices.get(value.id)
      if (before === undefined && registeredServices.size >= maxServices)
        throw new BerthError(
          'registration.too-many',
          `register ${value.name}: there are ${maxServices} registered services, the most that are possible`,
        )
      this.#refuseTaken(value.checks, value.id)
      tx.put('registeredServices', value, { ifUnchanged: true })
      if (before === undefined || before.name !== value.name)
        tx.event({
          type: 'service.registered',
          subject: {},
          message: `service ${value.name} (${value.id}) at ${value.address}:${value.port} was registered`,
        })
      else
        tx.event({
          type: 'service.registered',
          subject: {},
          message: `service ${value.name} (${value.id}) was registered again`,
        })
    })
  }

  async deregister(id: string, registrar: Registrar): Promise<void> {
    const { name } = this.require(id)
    await this.#options.records.commit(registrar.actor, (tx) => {
      tx.delete('registeredServices', id)
      tx.event({ type: 'service.deregistered', subject: {}, message: `service ${name} (${id}) was deregistered` })
    })
  }

  /** Of a service that is there: `ServiceID`. */
  async registerCheck(body: unknown): Promise<void> {
    const fields = fieldsOf(body) ?? {}
    const service = typeof fields.serviceid === 'string' ? fields.serviceid : ''
    if (service === '') throw invalid(['ServiceID: Berth has checks of services only, and needs to know of which'])
    const name = typeof fields.name === 'string' ? fields.name : ''
    if (name === '') throw invalid(['Name: missing'])
    const read = readCheck(body, { id: name, name }, this.#now())
    if ('problems' in read) throw invalid(read.problems)
    const { value } = read
    await this.#change(service, ({ checks }) => {
      this.#refuseTaken([value], service)
      return [...checks.filter((each) => each.id !== value.id), value]
    })
  }

  async deregisterCheck(id: string): Promise<void> {
    await this.#change(this.#serviceOf(id).id, ({ checks }) => checks.filter((each) => each.id !== id))
  }

  /** What is said again and again is written down once in half its time. */
  async say(id: string, status: CheckStatus, output: string): Promise<void> {
    const now = this.#now()
    const service = this.#serviceOf(id)
    const check = service.checks.find((each) => each.id === id)
    this.#options.heard.set(id, now)
    const isWritten =
      check?.status === status &&
      check.output === output &&
      now - check.saidAt < (check.ttlMs ?? Number.POSITIVE_INFINITY) / 2
    if (isWritten) return
    await this.#change(service.id, ({ checks }) =>
      checks.map((each) => (each.id === id ? withStatus(each, { status, output }, now) : each)),
    )
  }

  /** A critical check more, as long as it lasts. */
  async maintain(id: string, isOn: boolean, reason: string): Promise<void> {
    const mark = `_service_maintenance:${id}`
    const now = this.#now()
    await this.#change(id, ({ checks }) => {
      const others = checks.filter((each) => each.id !== mark)
      if (!isOn) return others
      const check: RegisteredCheck = {
        id: mark,
        name: 'Service Maintenance Mode',
        notes: reason,
        status: 'critical',
        output: '',
        saidAt: now,
      }
      return [...others, { ...check, criticalSince: now }]
    })
  }

  async #change(id: string, decide: (service: RegisteredService) => readonly RegisteredCheck[]): Promise<void> {
    await this.#options.records.commit(actor, (tx) => {
      const service = this.require(id)
      tx.put('registeredServices', { ...service, checks: decide(service) }, { ifUnchanged: true })
    })
  }

  #serviceOf(check: string): RegisteredService {
    const found = this.#options.records.state.registeredServices.byCheck(check)
    if (found !== undefined) return found
    throw new BerthError(
      'registration.not-found',
      `Unknown check ID ${JSON.stringify(check.slice(0, 100))}. Ensure that the check ID is passed, not the check name.`,
    )
  }

  #refuseTaken(checks: readonly RegisteredCheck[], service: string): void {
    for (const { id } of checks) {
      const other = this.#options.records.state.registeredServices.byCheck(id)
      if (other !== undefined && other.id !== service) throw invalid([`CheckID: ${id} is one of service ${other.id}`])
    }
  }
}

const invalid = (problems: readonly string[]): BerthError =>
  new BerthError('registration.invalid', `Invalid registration: ${problems.join('; ')}`, { details: { problems } })
