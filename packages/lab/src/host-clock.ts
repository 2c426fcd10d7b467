import { existsSync, readdirSync } from 'node:fs'
import { join } from 'node:path'
import { BerthError } from '@berth/core'
import type { LabHost } from './lab.ts'

/** Read again and again by everything that was started with {@link clockEnvironment}. */
const CLOCK_FILE = '/etc/lab-clock'

/**
 * By which programs of a host see the host's own clock: libfaketime, for what is linked dynamically; dockerd and other programs in Go are
 * not. The monotonic clock goes on as it is.
 */
export const clockEnvironment = (): Record<string, string> => ({
  LD_PRELOAD: library(),
  FAKETIME_TIMESTAMP_FILE: CLOCK_FILE,
  FAKETIME_CACHE_DURATION: '1',
  FAKETIME_DONT_FAKE_MONOTONIC: '1',
  DONT_FAKE_MONOTONIC: '1',
  FAKETIME_DISABLE_SHM: '1',
})

/** From inside: what is changed below an overlay is not seen by who has it open. */
export async function writeClock(host: Pick<LabHost, 'exec' | 'name'>, offsetMs: number): Promise<void> {
  if (!Number.isFinite(offsetMs))
    throw new BerthError('lab.clock', `set the clock of host ${host.name}: ${offsetMs} ms`)
  const seconds = offsetMs / 1000
  const text = `${seconds < 0 ? '' : '+'}${seconds}\n`
  const { code, stderr } = await host.exec(['tee', CLOCK_FILE], { input: text })
  if (code !== 0) throw new BerthError('lab.clock', `set the clock of host ${host.name}: ${stderr.trim()}`)
}

function library(): string {
  const found = readdirSync('/usr/lib')
    .map((name) => join('/usr/lib', name, 'faketime/libfaketimeMT.so.1'))
    .find((path) => existsSync(path))
  if (found !== undefined) return found
  throw new BerthError('lab.clock', 'a host with a clock of its own needs libfaketime: apt-get install faketime')
}

/** `+5h`, `-90s`, `250ms`, `0` */
export function parseOffset(text: string): number {
  const match = /^([+-]?\d+(?:\.\d+)?)(ms|s|m|h|d)?$/.exec(text)
  if (match === null) throw new BerthError('lab.usage', `${text}: write it like +5h, -90s or 0`)
  const units = { ms: 1, s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000 }
  return Number(match[1]) * units[(match[2] ?? 's') as keyof typeof units]
}
