import { setTimeout as sleep } from 'node:timers/promises'
import { messageOf } from '@berth/core'
import type { Logger } from 'pino'
import type { DockerClient } from '../engine/docker-client.ts'
import { jsonLines } from '../engine/docker-stream.ts'
import { hasCode, isEngineDown } from '../engine/engine-error.ts'
import { buildCgroup } from './build-cgroup.ts'

const quickMs = 15_000
const pollMs = 100

interface InspectedContainer {
  readonly Id: string
  readonly Created: string
  readonly Config?: { readonly Labels?: Readonly<Record<string, string>> | null } | null
  readonly HostConfig?: { readonly CgroupParent?: string } | null
}

/** The containers in which a build's steps run. Docker removes them; this makes sure of it. */
export class IntermediateContainers {
  readonly #client: DockerClient
  readonly #log: Logger

  constructor(client: DockerClient, log: Logger) {
    this.#client = client
    this.#log = log
  }

  /**
   * Waits until Docker has removed a container after its build was cut off, and removes it when Docker does not. `id` comes from a
   * build's output, which the build itself can forge: only a container that is younger than the build, and no instance, is touched.
   */
  async ensureGone(id: string, startedAt: number, timeoutMs = 15_000): Promise<void> {
    const deadline = Date.now() + timeoutMs
    const forceAt = Date.now() + timeoutMs / 2
    while (Date.now() < deadline) {
      try {
        const found = await this.#inspect(id)
        if (found === undefined || isInstance(found) || Date.parse(found.Created) < startedAt - 1000) return
        if (Date.now() >= forceAt) await this.#remove(found.Id)
      } catch (error) {
        if (!isEngineDown(error)) throw error
      }
      await sleep(pollMs)
    }
    this.#log.warn({ container: id }, `container ${id} of a build that was cut off is still there`)
  }

  /** Removes what builds left running when Docker or the agent died in the middle of them. */
  async removeLeftovers(signal?: AbortSignal): Promise<void> {
    const containers = await this.#client.json<{ Id: string; Labels?: Record<string, string> | null }[]>({
      action: 'list containers',
      method: 'GET',
      path: '/containers/json',
      query: { all: true },
      timeoutMs: quickMs,
      signal,
    })
    for (const { Id, Labels } of containers) {
      if (Labels?.['berth.instance'] !== undefined) continue
      const found = await this.#inspect(Id, signal)
      if (found === undefined || isInstance(found) || found.HostConfig?.CgroupParent !== buildCgroup) continue
      this.#log.info({ container: Id }, 'removing the container of a build that was cut off')
      await this.#remove(Id)
    }
  }

  /** Notes the ids of containers that ran out of memory, until the signal comes. Resolves once Docker listens. */
  async watchMemory(onOutOfMemory: (id: string) => void, signal: AbortSignal): Promise<void> {
    const filters = JSON.stringify({ type: ['container'], event: ['oom'] })
    const call = {
      action: 'watch for memory events',
      method: 'GET',
      path: '/events',
      query: { filters },
      signal,
    } as const
    const events = await this.#client.stream(call)
    const read = async (): Promise<void> => {
      for await (const event of jsonLines<{ id?: string; Actor?: { ID?: string } }>(events))
        onOutOfMemory(event.Actor?.ID ?? event.id ?? '')
    }
    // Without these events a failure is still a failure, with a less telling reason.
    read().catch((error: unknown) => {
      if (!signal.aborted) this.#log.debug({ reason: messageOf(error) }, 'memory events of a build ended')
    })
  }

  async #inspect(id: string, signal?: AbortSignal): Promise<InspectedContainer | undefined> {
    const path = `/containers/${encodeURIComponent(id)}/json`
    try {
      return await this.#client.json({
        action: `inspect container ${id}`,
        method: 'GET',
        path,
        timeoutMs: quickMs,
        signal,
      })
    } catch (error) {
      if (hasCode(error, 'engine.not-found')) return undefined
      throw error
    }
  }

  async #remove(id: string): Promise<void> {
    const path = `/containers/${encodeURIComponent(id)}`
    const query = { force: true, v: true }
    try {
      await this.#client.json({ action: `remove container ${id}`, method: 'DELETE', path, query, timeoutMs: quickMs })
    } catch (error) {
      // It is being removed by Docker, or is gone by now.
      if (!hasCode(error, 'engine.not-found') && !hasCode(error, 'engine.rejected')) throw error
    }
  }
}

const isInstance = ({ Config }: InspectedContainer): boolean => Config?.Labels?.['berth.instance'] !== undefined
