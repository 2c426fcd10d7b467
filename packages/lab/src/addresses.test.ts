import { describe, expect, test } from 'vitest'
import { checkHostName, hostAddress, MAX_INDEX, namesOf } from './addresses.ts'

describe('namesOf', () => {
  test('no two labs share a name or an address', () => {
    const all = Array.from({ length: MAX_INDEX }, (_, index) => namesOf(index + 1))
    for (const part of ['cgroup', 'link', 'subnet', 'containerPool', 'serverAddress'] as const) {
      expect(new Set(all.map((names) => names[part])).size).toBe(MAX_INDEX)
    }
  })

  test('the interface name fits the kernel for every index', () => {
    expect(namesOf(MAX_INDEX).link.length).toBeLessThanOrEqual(15)
  })
})

describe('hostAddress', () => {
  test('counts from .11', () => {
    expect(hostAddress(namesOf(7), 1)).toBe('10.213.7.11')
    expect(hostAddress(namesOf(7), 3)).toBe('10.213.7.13')
  })

  test('refuses more hosts than the subnet has room for, below the router', () => {
    expect(hostAddress(namesOf(7), 240)).toBe('10.213.7.250')
    expect(() => hostAddress(namesOf(7), 241)).toThrow('it has room for 240')
  })
})

describe('checkHostName', () => {
  test.each(['h1', 'gateway-1', 'a23456789012'])('takes %s', (name) => {
    expect(checkHostName(name)).toBe(name)
  })

  test.each(['', '1h', 'H1', 'a234567890123', 'a b', '../x', '$(reboot)'])('refuses %j', (name) => {
    expect(() => checkHostName(name)).toThrow(/host name/)
  })
})
