import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { BerthError } from '@berth/core'
import type { HostPart } from './host-part.ts'
import type { Cancellable, LabHost } from './lab.ts'
import { identify, isAlive, sendSignal } from './process-table.ts'
import { waitFor } from './wait-for.ts'

/** Undefined while it does not run. */
export async function findPart(host: LabHost, part: HostPart): Promise<number | undefined> {
  const inside = part === 'dockerd' ? await readDockerPid(host) : await readSupervisedPid(host, part)
  return inside === undefined ? undefined : await host.outerPid(inside)
}

export async function signalPart(host: LabHost, part: HostPart, signal: NodeJS.Signals): Promise<void> {
  const pid = await findPart(host, part)
  if (pid === undefined || !sendSignal(pid, signal))
    throw new BerthError('lab.part', `send ${signal} to ${part} of host ${host.name}: it does not run there`)
}

/** Ends it and waits until another process has taken its place: its supervisor starts it. */
export async function restartPart(
  host: LabHost,
  part: Exclude<HostPart, 'dockerd' | 'supervisor'>,
  options: Cancellable = {},
): Promise<void> {
  const pid = await findPart(host, part)
  const before = pid === undefined ? undefined : identify(pid)
  await signalPart(host, part, 'SIGTERM')
  await waitFor(
    async () => {
      const now = await findPart(host, part)
      return now !== undefined && (before === undefined || !isAlive(before)) && now !== pid
    },
    { what: `${part} of host ${host.name} to run again`, deadlineMs: 60_000, ...options },
  )
}

async function readSupervisedPid(host: LabHost, part: Exclude<HostPart, 'dockerd'>): Promise<number | undefined> {
  const text = await readFile(join(host.dir, 'berth/supervisor.json'), 'utf8').catch(() => '{}')
  const read = JSON.parse(text) as {
    readonly supervisor?: { readonly pid?: number }
    readonly processes?: Readonly<Record<string, { readonly pid?: number } | undefined>>
  }
  return part === 'supervisor' ? read.supervisor?.pid : read.processes?.[part]?.pid
}

async function readDockerPid(host: LabHost): Promise<number | undefined> {
  const text = await readFile(join(host.dir, 'run/docker.pid'), 'utf8').catch(() => '')
  return text.trim() === '' ? undefined : Number(text)
}
