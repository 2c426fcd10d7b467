import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import {
  decideConfigRollout,
  type NodeConfigState,
  type RolloutNode,
  type RolloutView,
} from './decide-config-rollout.ts'

const node = (name: string, state?: NodeConfigState, more: Partial<RolloutNode> = {}): RolloutNode => ({
  ...{ name, online: true, drifted: false },
  ...(state === undefined ? {} : { state }),
  ...more,
})
const view = (nodes: readonly RolloutNode[], more: Partial<RolloutView> = {}): RolloutView => ({
  ...{ state: 'running', enforce: false, nodes },
  rule: { batch: { count: 2 }, pauseMs: 0, withinMs: 60_000, onFailure: 'stop' },
  ...more,
})
const decide = (nodes: readonly RolloutNode[], more: Partial<RolloutView> = {}, now = 1000) =>
  decideConfigRollout(view(nodes, more), now)

describe('decideConfigRollout', () => {
  it('begins a batch, and the next one when the whole of it is applied', () => {
    expect(decide([node('c'), node('a'), node('b')]).begin).toEqual(['a', 'b'])
    expect(decide([node('a', 'applied'), node('b', 'applying'), node('c')]).begin).toEqual([])
    expect(decide([node('a', 'applied'), node('b', 'applied'), node('c')]).begin).toEqual(['c'])
    expect(decide([node('a', 'applied')]).state).toBe('done')
  })

  it('takes a share of the nodes, at least one', () => {
    const rule = { batch: { shareMilli: 500 }, pauseMs: 0, withinMs: 1000, onFailure: 'stop' } as const
    expect(
      decide(
        'abcde'.split('').map((name) => node(name)),
        { rule },
      ).begin,
    ).toEqual(['a', 'b'])
    expect(decide([node('a')], { rule }).begin).toEqual(['a'])
  })

  it('pauses between batches', () => {
    const rule = { batch: { count: 1 }, pauseMs: 500, withinMs: 1000, onFailure: 'stop' } as const
    expect(decide([node('a', 'applied', { since: 800 }), node('b')], { rule })).toMatchObject({
      begin: [],
      lookAt: 1300,
    })
    expect(decide([node('a', 'applied', { since: 800 }), node('b')], { rule }, 1300).begin).toEqual(['b'])
  })

  it('leaves nodes that are offline for later, and gives it to them when they are back', () => {
    const offline = node('b', undefined, { online: false })
    expect(decide([node('a', 'applied'), offline]).state).toBe('done')
    expect(decide([node('a', 'applied'), offline], { state: 'done' }).begin).toEqual([])
    expect(decide([node('a', 'applied'), node('b')], { state: 'done' }).begin).toEqual(['b'])
  })

  it('corrects drift only where the document says so', () => {
    const drifted = [node('a', 'applied', { drifted: true })]
    expect(decide(drifted, { state: 'done' }).begin).toEqual([])
    expect(decide(drifted, { state: 'done', enforce: true }).begin).toEqual(['a'])
    expect(decide([node('a', 'undone', { drifted: true })], { state: 'done', enforce: true }).begin).toEqual([])
  })

  it('ends at a failure, as the document says', () => {
    const nodes = [node('a', 'applied'), node('b', 'undone'), node('c')]
    expect(decide(nodes)).toMatchObject({ begin: [], state: 'stopped', why: 'b failed' })
    const rule = { batch: { count: 1 }, pauseMs: 0, withinMs: 1000, onFailure: 'undo' } as const
    expect(decide(nodes, { rule })).toMatchObject({ begin: [], state: 'undoing' })
    expect(decide(nodes, { rule, state: 'undoing' }).takeBack).toEqual(['a'])
    expect(decide([node('a', 'returned'), node('b', 'undone')], { rule, state: 'undoing' }).state).toBe('undone')
  })

  it('never begins anything after a failure, nor more than a batch, and comes to an end', () => {
    const outcome = fc.constantFrom<NodeConfigState>('applied', 'undone', 'failed')
    fc.assert(
      fc.property(
        fc.array(outcome, { minLength: 1, maxLength: 12 }),
        fc.integer({ min: 1, max: 5 }),
        fc.constantFrom('stop' as const, 'undo' as const),
        (outcomes, count, onFailure) => {
          const rule = { batch: { count }, pauseMs: 0, withinMs: 1000, onFailure }
          let nodes: RolloutNode[] = outcomes.map((_, at) => node(`n${String(at).padStart(2, '0')}`))
          let state: RolloutView['state'] = 'running'
          for (let turn = 0; turn < 60 && (state === 'running' || state === 'undoing'); turn += 1) {
            const step = decideConfigRollout({ state, rule, enforce: false, nodes }, 0)
            expect(step.begin.length + step.takeBack.length).toBeLessThanOrEqual(count)
            if (nodes.some((each) => each.state === 'undone' || each.state === 'failed')) expect(step.begin).toEqual([])
            nodes = nodes.map((each, at) => {
              if (step.begin.includes(each.name)) return { ...each, state: outcomes[at] ?? 'applied' }
              return step.takeBack.includes(each.name) ? { ...each, state: 'returned' as const } : each
            })
            state = step.state ?? state
          }
          const failed = nodes.some((each) => each.state === 'undone' || each.state === 'failed')
          expect(state).toBe(failed ? (onFailure === 'stop' ? 'stopped' : 'undone') : 'done')
          if (state === 'undone') expect(nodes.some((each) => each.state === 'applied')).toBe(false)
        },
      ),
    )
  })
})
