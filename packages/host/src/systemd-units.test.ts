import { spawnSync } from 'node:child_process'
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { findProgram } from './requirements.ts'
import type { SupervisedProcess } from './supervisor.ts'
import { installUnits, removeUnits, systemdUnits } from './systemd-units.ts'

let unitDir: string
let calls: string[]
const systemctl = (args: readonly string[]): void => void calls.push(args.join(' '))
const options = () => ({ unitDir, systemctl })

beforeEach(() => {
  unitDir = mkdtempSync(join(tmpdir(), 'berth-units-'))
  calls = []
})
afterEach(() => rmSync(unitDir, { recursive: true }))

const role = (name: string, ...more: string[]): SupervisedProcess => ({
  name,
  argv: [process.execPath, ...more, name],
  stopGraceMs: 3000,
})
const units = (...names: string[]) => systemdUnits(names.map((name) => role(name)))

describe('the text of a unit', () => {
  it.each([
    ['a plain word', 'agent', '"agent"'],
    ['a space', '/var/lib/be rth', '"/var/lib/be rth"'],
    ['a quote and a backslash', 'a"b\\c', '"a\\"b\\\\c"'],
    ['a specifier', '100%h', '"100%%h"'],
    ['a variable', '$HOME/x', '"$$HOME/x"'],
  ])('keeps %s in an argument as it is', (_, word, quoted) => {
    const text = systemdUnits([{ name: 'agent', argv: ['/bin/true', word] }]).get('berth-agent.service')
    expect(text).toContain(`\nExecStart="/bin/true" ${quoted}\n`)
  })

  it('says in which order with Docker, and never gives up', () => {
    const texts = units('netd', 'server', 'agent')
    expect(texts.get('berth-netd.service')).toContain('Before=docker.service')
    expect(texts.get('berth-agent.service')).toContain('After=docker.service berth-netd.service')
    for (const text of texts.values()) {
      expect(text).toContain('\nRestart=always\n')
      expect(text).toContain('\nStartLimitIntervalSec=0\n')
      expect(text).toContain('\nKillMode=process\n')
      expect(text).toContain('\nTimeoutStopSec=8\n')
    }
  })

  it('is what systemd understands, wherever there is one to ask', () => {
    const texts = systemdUnits([role('netd', '/opt/a b/$x %h"\\.ts'), role('server'), role('agent')])
    for (const [name, text] of texts) writeFileSync(join(unitDir, name), text)
    const analyze = findProgram('systemd-analyze')
    const args = ['verify', '--man=no', ...[...texts.keys()].map((name) => join(unitDir, name))]
    const said = analyze === undefined ? '' : spawnSync(analyze, args, { encoding: 'utf8' }).stderr
    expect(said.split('\n').filter((line) => line.includes('berth-') && !line.includes('docker.service'))).toEqual([])
    expect(readdirSync(unitDir)).toHaveLength(3)
  })
})

describe('installing', () => {
  it('starts what is new, and the second time nothing', () => {
    expect(installUnits(units('netd', 'agent'), true, options())).toEqual(['berth-netd.service', 'berth-agent.service'])
    expect(calls).toEqual([
      'daemon-reload',
      'enable --quiet berth-netd.service berth-agent.service',
      'restart berth-netd.service berth-agent.service',
      'start berth-netd.service berth-agent.service',
    ])
    calls = []
    expect(installUnits(units('netd', 'agent'), false, options())).toEqual([])
    expect(calls.some((call) => call.startsWith('restart'))).toBe(false)
  })

  it('restarts only the unit that has changed, or all when what they read has', () => {
    installUnits(units('netd', 'agent'), true, options())
    const changed = systemdUnits([role('netd'), role('agent', '--verbose')])
    expect(installUnits(changed, false, options())).toEqual(['berth-agent.service'])
    expect(installUnits(changed, true, options())).toHaveLength(2)
    expect(readFileSync(join(unitDir, 'berth-agent.service'), 'utf8')).toContain('--verbose')
  })

  it('takes a role away that this machine has no more', () => {
    installUnits(units('netd', 'server', 'agent'), true, options())
    calls = []
    installUnits(units('netd', 'agent'), true, options())
    expect(calls.slice(0, 2)).toEqual(['disable --now --quiet berth-server.service', 'daemon-reload'])
    expect(existsSync(join(unitDir, 'berth-server.service'))).toBe(false)
  })
})

it('removing ends agent before server before netd, leaves other units alone, and may be done twice', () => {
  writeFileSync(join(unitDir, 'docker.service'), '')
  installUnits(units('netd', 'server', 'agent'), true, options())
  calls = []
  removeUnits(options())
  expect(calls).toEqual([
    'disable --now --quiet berth-agent.service berth-server.service berth-netd.service',
    'daemon-reload',
  ])
  removeUnits(options())
  expect(calls).toHaveLength(2)
  expect(readdirSync(unitDir)).toEqual(['docker.service'])
})
