import { createHash } from 'node:crypto'
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Readable } from 'node:stream'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { waitUntil } from '../testing/wait-until.ts'
import { ExecutableReceiver } from './receive-executable.ts'
import { UpgradeWatch } from './upgrade-watch.ts'

let dir: string
let program: string
const signal = AbortSignal.timeout(60_000)

/** Programs of one file that say their version; called with more, they leave a trace. */
const programOf = (version: string) =>
  `#!/bin/sh\n[ "$1" = --version ] && { echo ${version}; exit; }\necho "$*" >"$(dirname "$0")/called"\n`
const sha256 = (text: string) => createHash('sha256').update(text).digest('hex')

beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'berth-upgrade-'))
  program = join(dir, 'berth')
  mkdirSync(join(dir, 'agent'))
  writeFileSync(program, programOf('0.1.0'), { mode: 0o755 })
})
afterEach(() => rmSync(dir, { recursive: true }))

const receiver = (words: readonly string[] = [program]) =>
  new ExecutableReceiver({
    ...{ program: words, version: '0.1.0', directory: join(dir, 'agent'), logFile: join(dir, 'upgrade.log') },
    upgradeArguments: ['agent', 'upgrade'],
  })
const offer = (text: string, version: string, hash = sha256(text)) =>
  receiver().receive({ version, sha256: hash }, Readable.from([Buffer.from(text)]), signal)

describe('an executable that is offered', () => {
  it('is written beside the present one, checked, and put in place by a process of its own', async () => {
    expect(await offer(programOf('0.1.1'), '0.1.1')).toBe(true)
    expect(readFileSync(`${program}.new`, 'utf8')).toBe(programOf('0.1.1'))
    expect(readFileSync(program, 'utf8')).toBe(programOf('0.1.0'))
    await waitUntil('the process to be started', () => existsSync(join(dir, 'called')))
    await waitUntil('its arguments', () => readFileSync(join(dir, 'called'), 'utf8') === 'agent upgrade\n')
    expect(new UpgradeWatch(join(dir, 'agent'), '0.1.0').status).toMatchObject({
      state: 'switching',
      from: '0.1.0',
      to: '0.1.1',
    })
  })

  it('is not taken when it runs already', async () => {
    expect(await offer(programOf('0.1.0'), '0.1.0')).toBe(false)
    expect(existsSync(`${program}.new`)).toBe(false)
  })

  it.each([
    ['that was damaged on its way', programOf('0.1.1'), '0.1.1', 'a'.repeat(64), 'upgrade.damaged'],
    ['of another version than said', programOf('0.9.0'), '0.1.1', undefined, 'upgrade.not-runnable'],
    ['that does not run here', '\x7fELF nonsense', '0.1.1', undefined, 'upgrade.not-runnable'],
  ])('%s leaves nothing behind', async (_, text, version, hash, code) => {
    await expect(offer(text, version, hash)).rejects.toMatchObject({ code })
    expect(existsSync(`${program}.new`)).toBe(false)
    expect(readFileSync(program, 'utf8')).toBe(programOf('0.1.0'))
    expect(new UpgradeWatch(join(dir, 'agent'), '0.1.0').status).toBeUndefined()
  })

  it('that breaks off leaves nothing behind', async () => {
    const broken = Readable.from(
      (async function* () {
        yield Buffer.from('#!/bin/sh\n')
        throw new Error('the link is gone')
      })(),
    )
    const offered = { version: '0.1.1', sha256: sha256('x') }
    await expect(receiver().receive(offered, broken, signal)).rejects.toMatchObject({ code: 'upgrade.not-written' })
    expect(existsSync(`${program}.new`)).toBe(false)
  })

  it('is refused by an agent that runs from sources', async () => {
    const offered = { version: '0.1.1', sha256: sha256('x') }
    const refused = receiver(['node', 'bin/berth.ts']).receive(offered, Readable.from([]), signal)
    await expect(refused).rejects.toMatchObject({ code: 'upgrade.no-executable' })
  })
})

it('an upgrade that nobody watches over any more is what it has come to', () => {
  const note = { state: 'switching', from: '0.1.0', to: '0.1.1', sha256: '', at: Date.now() - 3_600_000 }
  writeFileSync(join(dir, 'agent', 'upgrade.json'), JSON.stringify(note))
  expect(new UpgradeWatch(join(dir, 'agent'), '0.1.1').status).toMatchObject({ state: 'done' })
  expect(new UpgradeWatch(join(dir, 'agent'), '0.1.0').status).toMatchObject({
    state: 'rolled-back',
    why: 'it was interrupted',
  })
  writeFileSync(join(dir, 'agent', 'upgrade.json'), 'rubbish')
  expect(new UpgradeWatch(join(dir, 'agent'), '0.1.0').status).toBeUndefined()
})
