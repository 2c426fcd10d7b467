import { BerthError } from '@berth/core'
import type { ContainerSpec, ContainerSummary, ContainerView, Engine, EngineLogLine } from '../engine/engine.ts'

/** Containers in memory. It does what Docker would, at once, and remembers in which order. */
export class PretendedEngine {
  readonly containers = new Map<string, ContainerView>()
  /** `create web-1`, `start web-1`, … */
  readonly done: string[] = []
  /** What a call waits for, by its name: `stop`, `inspect`. */
  readonly gates = new Map<string, Promise<void>>()
  #ids = 0
  #clock = 1_000

  get engine(): Engine {
    return this as unknown as Engine
  }

  /** A container that is there without an agent having made it. */
  place(spec: Pick<ContainerSpec, 'name' | 'labels'> & Partial<ContainerView>): ContainerView {
    this.#ids += 1
    this.#clock += 1
    const view: ContainerView = {
      id: `c${this.#ids}`,
      state: 'running',
      pid: 100 + this.#ids,
      startedAt: this.#clock,
      outOfMemory: false,
      image: 'sha256:1',
      user: '',
      networks: [],
      ...{ cpuset: '', shares: 1024, quotaMilli: 0, memoryBytes: 0 },
      ...spec,
    }
    this.containers.set(view.id, view)
    return view
  }

  byName(name: string): ContainerView | undefined {
    return [...this.containers.values()].find((each) => each.name === name)
  }

  async createContainer(spec: ContainerSpec): Promise<string> {
    await this.#did('create', spec.name)
    if (this.byName(spec.name) !== undefined) throw new BerthError('engine.name-taken', `${spec.name} is in use`)
    const { name, labels, cpuset, shares, quotaMilli, memoryBytes } = spec
    const grant = { cpuset, shares, quotaMilli, memoryBytes }
    const { pid: _pid, startedAt: _startedAt, ...view } = this.place({ name, labels, ...grant })
    this.containers.set(view.id, { ...view, state: 'created' })
    return view.id
  }

  async startContainer(id: string): Promise<void> {
    const view = this.#get(id)
    await this.#did('start', view.name)
    this.#clock += 1
    this.containers.set(id, { ...view, state: 'running', pid: 100 + this.#clock, startedAt: this.#clock })
  }

  async stopContainer(id: string): Promise<void> {
    await this.#did('stop', this.#get(id).name)
    this.#clock += 1
    const { pid: _, ...view } = this.#get(id)
    this.containers.set(id, { ...view, state: 'exited', exitCode: 143, finishedAt: this.#clock })
  }

  async removeContainer(id: string): Promise<void> {
    const view = this.containers.get(id)
    if (view === undefined) return
    if (view.state === 'running') throw new BerthError('engine.rejected', `${view.name} runs`)
    await this.#did('remove', view.name)
    this.containers.delete(id)
  }

  async inspectContainer(idOrName: string): Promise<ContainerView | undefined> {
    await this.gates.get('inspect')
    return this.containers.get(idOrName) ?? this.byName(idOrName)
  }

  async listContainers(label: string): Promise<readonly ContainerSummary[]> {
    return [...this.containers.values()].filter((each) => each.labels[label] !== undefined)
  }

  async *logs(): AsyncGenerator<EngineLogLine> {}

  async inspectImage(): Promise<{ id: string; user: string; sizeBytes: number }> {
    return { id: 'sha256:1', user: '', sizeBytes: 1 }
  }

  async readFile(): Promise<undefined> {}

  #get(id: string): ContainerView {
    const view = this.containers.get(id)
    if (view === undefined) throw new BerthError('engine.not-found', `there is no container ${id}`)
    return view
  }

  async #did(what: string, name: string): Promise<void> {
    await this.gates.get(what)
    this.done.push(`${what} ${name}`)
  }
}
