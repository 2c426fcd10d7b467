import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { afterEach, beforeEach, expect, it } from 'vitest'
import { readHostCores } from './host-cores.ts'

let root: string
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'host-cores-'))
})
afterEach(() => rmSync(root, { recursive: true, force: true }))

function read(files: Record<string, string>) {
  for (const [path, text] of Object.entries(files)) {
    mkdirSync(dirname(join(root, path)), { recursive: true })
    writeFileSync(join(root, path), text)
  }
  return readHostCores({ sysRoot: join(root, 'sys'), procRoot: join(root, 'proc') })
}

const status = (list: string) => ({
  'proc/self/status': `Name:\tnode\nCpus_allowed:\tff\nCpus_allowed_list:\t${list}\n`,
})
const cpu = 'sys/devices/system/cpu/online'
const numa = (number: number) => `sys/devices/system/node/node${number}/cpulist`
const nodes = 'sys/devices/system/node/online'

it.each([
  ['one node', { [cpu]: '0-1\n', [nodes]: '0\n', [numa(0)]: '0-1\n', ...status('0-1') }, [[0, 1]]],
  [
    'two nodes',
    { [cpu]: '0-7\n', [nodes]: '0-1\n', [numa(0)]: '0,2,4,6\n', [numa(1)]: '1,3,5,7\n' },
    [
      [0, 2, 4, 6],
      [1, 3, 5, 7],
    ],
  ],
  [
    'a core that is switched off',
    { [cpu]: '0,2-3\n', [nodes]: '0\n', [numa(0)]: '0-3\n', ...status('0-3') },
    [[0, 2, 3]],
  ],
  [
    'cores that may not be used',
    { [cpu]: '0-3\n', [nodes]: '0-1\n', [numa(0)]: '0-1\n', [numa(1)]: '2-3\n', ...status('0-1') },
    [[0, 1]],
  ],
  ['no NUMA in the kernel', { [cpu]: '0-1\n' }, [[0, 1]]],
  ['nothing to be read', {}, []],
])('%s', (_, files, expected) => {
  expect(read(files)).toEqual({ count: expected.flat().length, numa: expected })
})

it('of this machine are as many as it has', () => {
  expect(readHostCores().count).toBeGreaterThan(0)
})
