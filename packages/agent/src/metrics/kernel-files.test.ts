import { describe, expect, it } from 'vitest'
import {
  parseBlkio,
  parseBusyNs,
  parseDiskStats,
  parseEstablished,
  parseIoStat,
  parseNetDev,
  parseUsedMemory,
  readField,
} from './kernel-files.ts'
import { netDev, snmp } from './kernel-trees.testing.ts'

describe('readField', () => {
  const text = 'inactive_file 1\ntotal_inactive_file 2\nlast 30'
  it.each([
    ['inactive_file', 1],
    ['total_inactive_file', 2],
    ['last', 30],
    ['file', 0],
    ['missing', 0],
  ])('%s: %i', (key, value) => expect(readField(text, key)).toBe(value))

  it('finds nothing in nothing', () => expect(readField('', 'usage_usec')).toBe(0))
})

describe('block devices', () => {
  it.each(['', 'Total 0\n'])('of a container that used none: %j', (text) => {
    expect(parseBlkio(text)).toEqual({ readBytes: 0, writtenBytes: 0 })
    expect(parseIoStat(text)).toEqual({ readBytes: 0, writtenBytes: 0 })
  })

  it('counts whole disks of the node, neither partitions nor what lies on disks', () => {
    const text = [
      '   7       0 loop0 9 0 99 0 9 0 99 0 0 0 0',
      '   8       0 sda 100 0 2000 0 50 0 1000 0 0 0 0 0 0 0 0',
      '   8       1 sda1 90 0 1900 0 50 0 1000 0 0 0 0',
      ' 259       0 nvme0n1 1 0 8 0 1 0 16 0 0 0 0',
      ' 259       1 nvme0n1p1 1 0 8 0 1 0 16 0 0 0 0',
      ' 253       0 dm-0 1 0 800 0 1 0 800 0 0 0 0',
      ' 254       0 vda 1 0 10 0 1 0 10 0 0 0 0',
    ].join('\n')
    expect(parseDiskStats(text)).toEqual({ readBytes: 2018 * 512, writtenBytes: 1026 * 512 })
  })
})

describe('networks', () => {
  it('sums what counts, also where a name meets its number', () => {
    const text = `${netDev([
      ['lo', 5, 5, [3, 2, 1], [3, 2, 1]],
      ['eth0', 100, 200, [10, 2, 3], [20, 4, 5]],
    ])}ens10f0:7 1 0 1 0 0 0 0 9 1 1 0 0 0 0 0\n`
    expect(parseNetDev(text, (name) => name !== 'lo')).toEqual({
      ...{ networkInBytes: 107, networkInPackets: 11, networkInErrors: 2, networkInDrops: 4 },
      ...{ networkOutBytes: 209, networkOutPackets: 21, networkOutErrors: 5, networkOutDrops: 5 },
    })
  })

  it('of a process that is gone is nothing', () => {
    expect(new Set(Object.values(parseNetDev('', () => true)))).toEqual(new Set([0]))
    expect(parseEstablished('')).toBe(0)
  })

  it('finds the established connections by the name of their column', () => {
    expect(parseEstablished(snmp(17))).toBe(17)
    expect(parseEstablished('Tcp: CurrEstab X\nTcp: 4 5\n')).toBe(4)
  })
})

it('counts the time that processors were busy, without idle, waiting and stolen time', () => {
  const text = 'cpu  100 20 30 9999 8888 4 6 7777 0 0\ncpu0 1 1 1 1 1 1 1 1 0 0\n'
  expect(parseBusyNs(text)).toBe(160 * 10_000_000)
})

it('counts memory that cannot be had back', () => {
  expect(parseUsedMemory('MemTotal:       1000 kB\nMemFree: 10 kB\nMemAvailable:    600 kB\n')).toBe(400 * 1024)
})
