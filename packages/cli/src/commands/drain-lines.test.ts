import type { NodeView } from '@berth/api'
import { describe, expect, it } from 'vitest'
import { DrainLines, drainText } from './drain-lines.ts'

const node = (instances: number, staying: NodeView['staying'] = [], online = true) =>
  ({ name: 'h2', instances, staying, online }) as NodeView
const web1 = {
  instance: 'shop.production.web-1',
  why: 'waits for shop.production.web-4, which finds no place',
  later: false,
}
const web2 = { instance: 'shop.production.web-2', why: 'has its turn later: 1 at a time', later: true }

describe('waiting for a drained node', () => {
  it('tells how many are left and what they wait for, and each only once', () => {
    const lines = new DrainLines('h2')
    expect(lines.newsOf(node(2, [web1, web2]))).toEqual(['2 left on h2', `  ${web1.instance} ${web1.why}`])
    expect(lines.newsOf(node(2, [web1, web2]))).toEqual([])
    const leaving = { ...web1, why: 'finishes the requests that it has' }
    expect(lines.newsOf(node(2, [leaving, web2]))).toEqual([`  ${web1.instance} finishes the requests that it has`])
    expect(lines.newsOf(node(1, [web2], false))).toEqual(['1 left on h2, which is offline'])
  })

  it('does not repeat a reason for another number in it, nor one that was there before', () => {
    const lines = new DrainLines('h2')
    const waits = (successor: number, nodes: number) => ({
      ...web1,
      why: `waits for shop.production.web-${successor}, which finds no place: ${nodes} nodes: ${nodes} without room (0.${nodes} cores free)`,
    })
    const drains = { ...web1, why: 'finishes the requests that it has' }
    expect(lines.newsOf(node(1, [waits(4, 3)]))).toHaveLength(2)
    expect(lines.newsOf(node(1, [waits(5, 2)]))).toEqual([])
    expect(lines.newsOf(node(1, [drains]))).toHaveLength(1)
    expect(lines.newsOf(node(1, [waits(6, 3)]))).toEqual([])
    expect(lines.newsOf(node(1, [drains]))).toEqual([])
    expect(lines.newsOf(node(0))).toEqual(['0 left on h2'])
    expect(lines.newsOf(node(1, [drains]))).toHaveLength(2)
  })

  it('is not for everybody: others are told where to look', () => {
    expect(drainText(node(2))).toBe('2 instances leave it; what each waits for: berth node show h2')
    expect(drainText(node(1))).toBe('1 instance leaves it; what each waits for: berth node show h2')
    expect(drainText(node(0))).toBe('nothing runs on h2')
  })
})
