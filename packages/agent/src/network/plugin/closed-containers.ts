import { closedTable, messageOf, renderClosed } from '@berth/core'
import type { Logger } from 'pino'
import type { Exec } from '../run-command.ts'
import { createTableKeeper } from '../table-keeper.ts'
import type { EndpointRecords } from './endpoint-records.ts'

export interface ClosedContainersParts {
  readonly records: EndpointRecords
  readonly exec: Exec
  readonly log: Logger
}

/**
 * Keeps containers closed that name profiles, from before they have a link until the agent has put these in force, whether the agent lives or
 * not. Who they are stands in the records of endpoints, so a successor of this process finds them.
 */
export class ClosedContainers {
  readonly #parts: ClosedContainersParts
  readonly #keepTable: ReturnType<typeof createTableKeeper>
  #tail: Promise<unknown> = Promise.resolve()
  /** Unknown at first: a predecessor may have left a table. */
  #isGone: boolean | undefined
  #reported = ''

  constructor(parts: ClosedContainersParts) {
    this.#parts = parts
    this.#keepTable = createTableKeeper(parts.exec, [closedTable])
  }

  /** Puts in force what the records say. Throws `network.command-failed`. */
  apply(): Promise<void> {
    const turn = this.#tail.then(() => this.#apply())
    this.#tail = turn.catch(() => undefined)
    return turn
  }

  /** The same, and never throws: it is tried again. */
  async keep(): Promise<void> {
    const problem = await this.apply().then(() => '', messageOf)
    if (problem !== '' && problem !== this.#reported)
      this.#parts.log.error({ problem }, 'containers that wait for their profiles cannot be closed or opened')
    this.#reported = problem
  }

  async #apply(): Promise<void> {
    const { records } = this.#parts
    const wishing = (await records.list()).filter(({ profiles }) => profiles !== undefined)
    const waits = await Promise.all(wishing.map(async ({ id }) => !(await records.isInForce(id))))
    const closed = wishing.filter((_, index) => waits[index])
    if (closed.length === 0 && (await this.#hasNoTable())) return
    const [addresses, addresses6] = [
      closed.flatMap((each) => each.addresses),
      closed.flatMap(({ address6 }) => address6 ?? []),
    ]
    await this.#keepTable(renderClosed(addresses, addresses6), { isRemoval: closed.length === 0 })
    this.#isGone = closed.length === 0
  }

  /** Most nodes never have one, and no program is to be run for that. */
  async #hasNoTable(): Promise<boolean> {
    // Without nft there is none.
    this.#isGone ??=
      (await this.#parts.exec('nft', ['list', 'table', ...closedTable.split(' ')]).catch(() => undefined))?.code !== 0
    return this.#isGone
  }
}
