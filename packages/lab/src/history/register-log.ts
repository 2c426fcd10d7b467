import type { RegisterChange } from './history.ts'

/** The changes of each register, to be looked into by revision and by value. */
export class RegisterLog {
  readonly #byRegister = new Map<string, RegisterChange[]>()

  constructor(changes: readonly RegisterChange[]) {
    for (const change of changes) {
      const known = this.#byRegister.get(change.register)
      if (known === undefined) this.#byRegister.set(change.register, [change])
      else known.push(change)
    }
  }

  get registers(): readonly string[] {
    return [...this.#byRegister.keys()]
  }

  of(register: string): readonly RegisterChange[] {
    return this.#byRegister.get(register) ?? []
  }

  has(register: string, value: number): boolean {
    return this.of(register).some((change) => change.value === value)
  }

  /** The register's last change up to this revision. */
  at(register: string, revision: number): RegisterChange | undefined {
    return this.of(register).findLast((change) => change.revision <= revision)
  }
}

/** For sentences: what a register had. */
export const told = (value: number | undefined): string => (value === undefined ? 'nothing' : String(value))
