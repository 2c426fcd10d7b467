import { expect, it } from 'vitest'
import { parseSpec } from './parse-spec.ts'
import { renderSpec } from './render-spec.ts'

it('writes what a person would, in units and without quotes that are not needed', () => {
  const { spec } = parseSpec(`
app: shop
build: {dockerfile: Dockerfile, limits: {cpu: 0.5}}
entrypoints:
  cpu:
    cpu: 1.30
    memory: 1024Mi
    env: {cpu: 007, A: "true"}
environments: {cpu: {entrypoints: {cpu: {cpu: 0.290}}, routes: []}}
`)
  const text = renderSpec(spec!)
  for (const line of [
    'cpu: 1.3',
    'cpu: 0.5',
    'cpu: 0.29',
    'memory: 1Gi',
    'cpu: "007"',
    'A: "true"',
    'routes: []',
    'drain: 30s',
  ])
    expect(text).toMatch(new RegExp(`^ *${line.replace(/[[\]]/g, '\\$&')}$`, 'm'))
  expect(parseSpec(text)).toEqual({ spec, problems: [] })
})
