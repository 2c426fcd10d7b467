import type { Assignment } from '@berth/core'
import { expect, it } from 'vitest'
import { type InstanceKeeper, InstanceKeepers } from './instance-keepers.ts'
import { withOwnAddress } from './own-address.ts'

const assignment = { instance: 'shop.production.web-1' } as Assignment
const target = { containerId: 'c1', pid: 42, cpuLimitMilli: 1000, memoryLimitBytes: 0 }

function noting(name: string, heard: string[]): InstanceKeeper {
  return {
    setInstances: (all) => void heard.push(`${name} has ${all.length}`),
    ready: async ({ instance }) => void heard.push(`${name} is ready for ${instance}`),
    watch: (instance, { pid }) => void heard.push(`${name} watches ${instance} as ${pid}`),
    forget: (instance) => void heard.push(`${name} forgets ${instance}`),
  }
}

it('tells each keeper in order, and leaves those alone that do not want to know', async () => {
  const heard: string[] = []
  const keepers = new InstanceKeepers([noting('a', heard), {}, noting('b', heard)])
  keepers.setInstances([assignment])
  await keepers.ready(assignment)
  keepers.watch(assignment.instance, target)
  keepers.forget(assignment.instance)
  expect(heard).toEqual(
    [
      'has 1',
      `is ready for ${assignment.instance}`,
      `watches ${assignment.instance} as 42`,
      `forgets ${assignment.instance}`,
    ].flatMap((what) => [`a ${what}`, `b ${what}`]),
  )
})

it('does not start what one of them is not ready for', async () => {
  const heard: string[] = []
  const refuses: InstanceKeeper = { ready: () => Promise.reject(new Error('no rules')) }
  await expect(new InstanceKeepers([refuses, noting('b', heard)]).ready(assignment)).rejects.toThrow('no rules')
  expect(heard).toEqual([])
})

it('says nothing of what has its node’s address to those who work by address', async () => {
  const heard: string[] = []
  const keepers = new InstanceKeepers([withOwnAddress(noting('rules', heard))])
  const guest = { instance: 'shop.production.proxy-1', network: 'host' } as Assignment
  keepers.setInstances([assignment, guest])
  await keepers.ready(guest)
  await keepers.ready(assignment)
  expect(heard).toEqual(['rules has 1', `rules is ready for ${assignment.instance}`])
})
