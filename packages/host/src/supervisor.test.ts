import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmdirSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { endProcess, identify, isAlive, type ProcessId, signalProcess } from './process-id.ts'
import { type SupervisedProcess, Supervisor } from './supervisor.ts'

let dir: string
const started: ProcessId[] = []

beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'berth-supervisor-'))
})
afterEach(async () => {
  for (const id of started.splice(0)) await endProcess(id, 0)
  rmSync(dir, { recursive: true })
})

const sleeper: SupervisedProcess = { name: 'sleeper', argv: ['sleep', '1000'], stopGraceMs: 1000 }

function supervise(processes: readonly SupervisedProcess[], maxLogBytes?: number) {
  const messages: string[] = []
  const abort = new AbortController()
  const options = {
    rotateEveryMs: 50,
    processes,
    logDir: join(dir, 'logs'),
    stateFile: join(dir, 'state.json'),
    log: (line: string) => void messages.push(line),
  }
  const done = new Supervisor(maxLogBytes === undefined ? options : { ...options, maxLogBytes }).run(abort.signal)
  return { messages, abort, done }
}

const processesNow = (): Record<string, ProcessId> => {
  try {
    return JSON.parse(readFileSync(join(dir, 'state.json'), 'utf8')).processes
  } catch {
    return {}
  }
}

async function until<T>(what: string, look: () => T | undefined | false): Promise<T> {
  const deadline = Date.now() + 10_000
  for (;;) {
    const found = look()
    if (found !== undefined && found !== false) return found
    if (Date.now() > deadline) throw new Error(`waited in vain for ${what}`)
    await new Promise((resolve) => setTimeout(resolve, 10))
  }
}

describe('a supervisor', () => {
  it('starts a killed process again and ends all of them on abort', async () => {
    const { abort, done, messages } = supervise([sleeper])
    const first = await until('the start', () => processesNow().sleeper)
    started.push(first)
    signalProcess(first, 'SIGKILL')
    const second = await until('a second start', () =>
      processesNow().sleeper?.pid === first.pid ? undefined : processesNow().sleeper,
    )
    started.push(second)
    expect(isAlive(second)).toBe(true)
    abort.abort()
    await done
    expect(isAlive(second)).toBe(false)
    expect(messages.join('\n')).toContain('sleeper has ended by SIGKILL')
  })

  it('goes on when its own file cannot be written, and writes it as soon as it can', async () => {
    const stateFile = join(dir, 'state.json')
    // A folder in its place: as on a full disk, the file cannot be written.
    mkdirSync(`${stateFile}.new`)
    const { abort, done, messages } = supervise([sleeper])
    const pid = await until('the start', () => /started, pid (\d+)/.exec(messages.join('\n'))?.[1])
    const id = identify(Number(pid))
    if (id !== undefined) started.push(id)
    expect(messages.join('\n')).toContain(`write ${stateFile}: `)
    rmdirSync(`${stateFile}.new`)
    expect(await until('the state', () => processesNow().sleeper)).toEqual(id)
    abort.abort()
    await done
    expect(messages.filter((line) => line.startsWith(`write ${stateFile}`))).toHaveLength(1)
  })

  it('adopts what a dead supervisor left running', async () => {
    const first = supervise([sleeper])
    const id = await until('the start', () => processesNow().sleeper)
    started.push(id)
    // As if by kill -9: nothing of the first supervisor's end is waited for, and its process lives on.
    const second = supervise([sleeper])
    await until('the adoption', () => second.messages.find((line) => line === `sleeper adopted, pid ${id.pid}`))
    expect(processesNow().sleeper).toEqual(id)
    second.abort.abort()
    await second.done
    expect(isAlive(id)).toBe(false)
    first.abort.abort()
    await first.done
  })

  it('ends what it is not to run any more', async () => {
    const first = supervise([sleeper, { ...sleeper, name: 'other' }])
    const { sleeper: kept, other } = await until('both', () => {
      const now = processesNow()
      return now.sleeper !== undefined && now.other !== undefined ? now : undefined
    })
    started.push(...[kept, other].filter((id) => id !== undefined))
    const second = supervise([sleeper])
    await until('the adoption', () => second.messages.find((line) => line === `sleeper adopted, pid ${kept?.pid}`))
    expect(other !== undefined && isAlive(other)).toBe(false)
    expect(Object.keys(processesNow())).toEqual(['sleeper'])
    first.abort.abort()
    second.abort.abort()
    await Promise.all([first.done, second.done])
  })

  it('does not begin beside another one', async () => {
    const parent = identify(process.ppid)
    writeFileSync(join(dir, 'state.json'), JSON.stringify({ supervisor: parent, processes: {} }))
    await expect(supervise([sleeper]).done).rejects.toMatchObject({
      code: 'host.supervised',
      message: `another supervisor (pid ${parent?.pid}) is at work here, says ${join(dir, 'state.json')}`,
    })
  })

  it('is found by its state file before anything has started', async () => {
    const { abort, done } = supervise([])
    await until('the state', () => existsSync(join(dir, 'state.json')))
    const { supervisor } = JSON.parse(readFileSync(join(dir, 'state.json'), 'utf8'))
    expect(isAlive(supervisor)).toBe(true)
    abort.abort()
    await done
  })

  it('cuts a log that has grown too long, and keeps what it held', async () => {
    const { abort, done } = supervise([{ name: 'talks', argv: ['sh', '-c', 'echo one; exec sleep 1000'] }], 3)
    const log = join(dir, 'logs', 'talks.log')
    const id = await until('the start', () => processesNow().talks)
    started.push(id)
    await until('the line', () => existsSync(log) && readFileSync(log, 'utf8') === 'one\n')
    await until('the cut', () => existsSync(`${log}.1`) && readFileSync(log, 'utf8') === '')
    expect(readFileSync(`${log}.1`, 'utf8')).toBe('one\n')
    abort.abort()
    await done
  })

  it('waits longer and longer before it starts what exits at once, and says why it cannot start', async () => {
    const { abort, done, messages } = supervise([
      { name: 'exits', argv: ['sh', '-c', 'echo out; exit 7'] },
      { name: 'missing', argv: ['/no/such/program'] },
    ])
    await until(
      'two exits',
      () => messages.filter((line) => line.startsWith('exits has ended with exit code 7')).length >= 2,
    )
    abort.abort()
    await done
    expect(messages.join('\n')).toMatch(/in 200 ms(.|\n)*in 400 ms/)
    expect(messages.join('\n')).toContain('start missing (/no/such/program): spawn /no/such/program ENOENT')
    expect(readFileSync(join(dir, 'logs', 'exits.log'), 'utf8')).toContain('out\nout\n')
  })
})

describe('a process id', () => {
  it('is not another process of the same number', () => {
    const self = identify(process.pid)
    expect(self && isAlive(self)).toBe(true)
    expect(isAlive({ pid: process.pid, startTicks: 1 })).toBe(false)
    expect(identify(2 ** 22 + 1)).toBeUndefined()
  })
})
