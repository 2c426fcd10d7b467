import { expect, it } from 'vitest'
import { TwinWatch } from './twin-watch.ts'

it('says that two machines are one node once they have taken the link from each other again and again', () => {
  const watch = new TwinWatch()
  const said = Array.from({ length: 1_000 }, (_, n) =>
    watch.note('a', n % 2 === 0 ? '192.0.2.1' : '192.0.2.2', n * 1_000),
  )
  // And again when nobody has done anything about it for ten minutes.
  expect(said.flatMap((each, n) => (each === undefined ? [] : [n]))).toEqual([4, 604])
  expect(said[4]).toContain('from 192.0.2.1 and 192.0.2.2')
})

it('says nothing of a link that is replaced now and then, nor of several nodes', () => {
  const watch = new TwinWatch()
  for (let n = 0; n < 100; n++) expect(watch.note('a', '192.0.2.1', n * 16_000)).toBeUndefined()
  for (let n = 0; n < 100; n++) expect(watch.note(`n${n}`, '192.0.2.1', 0)).toBeUndefined()
})

it('has it as a problem of the node for as long as they go on', () => {
  const watch = new TwinWatch()
  for (let n = 0; n < 4; n++) watch.note('a', '192.0.2.1', n * 1_000)
  expect(watch.problemOf('a', 4_000)).toBeUndefined()
  watch.note('a', '192.0.2.2', 4_000)
  expect(watch.problemOf('a', 5_000)).toContain('two machines seem to be node a')
  expect(watch.problemOf('b', 5_000)).toBeUndefined()
  expect(watch.problemOf('a', 64_000)).toBeUndefined()
})
