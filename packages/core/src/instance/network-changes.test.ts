import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import type { NetworkAttachment } from '../model/instance.ts'
import { attachDone, attachIntended, stepFailed } from './instance-memory.ts'
import { newInstanceMemory } from './instance-state.ts'
import { attachmentsOf, isAttached, networkChanges } from './network-changes.ts'
import { decidedAssignment, InstanceWorld } from './simulate-instance.testing.ts'

const attachment = fc.record(
  { name: fc.constantFrom('lan', 'storage', 'vault', 'zone'), address: fc.constantFrom('192.0.2.7', '192.0.2.8') },
  { requiredKeys: ['name'] },
)
const attachments = fc.uniqueArray(attachment, { selector: ({ name }) => name })
const names = (list: readonly NetworkAttachment[]): string[] => list.map(({ name }) => name)

describe('what an instance is in beside its own network', () => {
  it('is what it names, and of one in a network of the machines’ own alone a link to its node', () => {
    fc.assert(
      fc.property(fc.option(attachments, { nil: undefined }), (networks) => {
        const given = networks === undefined ? {} : { networks }
        for (const network of [undefined, 'host', 'bridge', 'bridge:lan'] as const)
          expect(attachmentsOf({ ...given, ...(network && { network }) })).toEqual(networks)
        expect(attachmentsOf({ ...given, network: 'lan:office' })).toEqual([
          { name: 'berth-link' },
          ...(networks ?? []),
        ])
      }),
    )
  })
})

describe('what makes a container be in the wanted networks', () => {
  it.each([
    ['nothing where it is in them', [{ name: 'lan' }], [{ name: 'lan', address: '192.0.2.7' }], ['lan'], [], []],
    ['one more', [{ name: 'lan' }, { name: 'vault' }], [{ name: 'lan' }], ['lan'], [], ['vault']],
    ['one less', [], [{ name: 'lan' }], ['lan'], ['lan'], []],
    ['nothing about what somebody else has done', [], [{ name: 'lan' }], [], [], []],
    ['another address', [{ name: 'lan', address: '192.0.2.7' }], [{ name: 'lan' }], ['lan'], ['lan'], ['lan']],
    ['nothing of what is gone already', [], [], ['lan'], [], []],
  ])('is %s', (_, wanted, networks, attached, detach, attach) => {
    const changes = networkChanges(wanted, { networks }, { attached })
    expect([changes.detach, names(changes.attach)]).toEqual([detach, attach])
  })

  it('leaves nothing to do once done, wherever a crash was, and never takes it out of what others put it into', () => {
    fc.assert(
      fc.property(attachments, attachments, attachments, fc.nat(8), (before, wanted, others, crashAfter) => {
        let shown = others.map(({ name }) => ({ name }))
        let memory = newInstanceMemory(0)
        const foreign = new Set(names(shown))
        const apply = (list: readonly NetworkAttachment[], steps: number): void => {
          const { detach, attach } = networkChanges(list, { networks: shown }, memory)
          memory = attachIntended(memory, names(list))
          const acts = [
            ...detach.map((name) => () => (shown = shown.filter((each) => each.name !== name))),
            ...attach.map(
              ({ name, address }) =>
                () =>
                  (shown = [...shown, { name, asked: address ?? '' }]),
            ),
          ]
          for (const act of acts.slice(0, steps)) act()
          if (steps >= acts.length) memory = attachDone(memory, names(list), detach)
        }
        apply(before, crashAfter)
        apply(wanted, 99)
        expect(isAttached(wanted, { networks: shown }, memory)).toBe(true)
        expect(new Set(names(shown)).isSupersetOf(new Set(names(wanted)))).toBe(true)
        const touched = new Set([...names(before), ...names(wanted)])
        for (const name of foreign) if (!touched.has(name)) expect(names(shown)).toContain(name)
      }),
    )
  })

  it('takes it out of what Docker has refused and kept in mind, which shows once the container does not run', () => {
    let memory = attachIntended(newInstanceMemory(0), ['storage'])
    const step = (wanted: readonly NetworkAttachment[], shown: readonly NetworkAttachment[]): readonly string[] => {
      const { detach } = networkChanges(wanted, { networks: shown }, memory)
      memory = attachDone(attachIntended(memory, names(wanted)), names(wanted), detach)
      return detach
    }
    expect(step([{ name: 'lan' }], [])).toEqual([])
    expect(step([{ name: 'lan' }], [{ name: 'lan' }, { name: 'storage' }])).toEqual(['storage'])
    expect(memory.attached).toEqual(['lan'])
  })
})

describe('an instance in several networks', () => {
  const networks = [{ name: 'lan' }]

  it('is in them before its first instruction, stays so over exits, and leaves what is not wanted while it runs', () => {
    const world = new InstanceWorld(decidedAssignment({ networks }))
    world.settle()
    expect(world.steps.map(({ type }) => type)).toEqual(['create', 'attach', 'start', 'adopt-run'])
    world.steps = []
    world.exit(1)
    world.settle()
    world.advance(60_000)
    world.settle()
    expect(world.steps.map(({ type }) => type)).toEqual(['record-exit', 'start', 'adopt-run'])
    world.steps = []
    world.assignment = { ...world.assignment, networks: [] }
    world.settle()
    expect(world.steps.map(({ type }) => type)).toEqual(['attach'])
    expect(world.container?.networks).toEqual([])
  })

  it('waits for them before it starts, with pauses that grow; running, it runs on', () => {
    const world = new InstanceWorld(decidedAssignment({ networks }))
    world.failing.add('attach')
    expect(world.settle()).toMatchObject({ type: 'wait', until: expect.any(Number) })
    expect(world.container?.state).toBe('created')
    world.failing.clear()
    world.advance(60_000)
    world.settle()
    world.assignment = { ...world.assignment, networks: [{ name: 'lan' }, { name: 'vault' }] }
    world.failing.add('attach')
    expect(world.settle()).toMatchObject({ type: 'wait', until: expect.any(Number) })
    expect(world.container?.state).toBe('running')
    world.assignment = { ...world.assignment, desired: 'stop' }
    world.settle()
    expect(world.container).toBeUndefined()
  })

  it('comes to rest where its memory is refused as well', () => {
    const world = new InstanceWorld(decidedAssignment())
    world.settle()
    world.assignment = { ...world.assignment, networks, memoryBytes: 2 ** 28 }
    for (const step of ['attach', 'update-grant'] as const) world.failing.add(step)
    for (let round = 0; round < 5; round++) {
      expect(world.settle(3).type).toBe('wait')
      world.advance(70_000)
    }
  })

  it('is not held back by what failed of another step', () => {
    const memory = stepFailed(newInstanceMemory(0), 'create', { code: 'failed', message: 'failed' }, 0)
    expect(isAttached(networks, { networks }, memory)).toBe(true)
  })
})
