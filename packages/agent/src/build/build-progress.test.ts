import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { BuildProgress } from './build-progress.ts'

const read = (...texts: string[]) => {
  const progress = new BuildProgress()
  const lines = texts.flatMap((stream) => progress.read({ stream }))
  return { progress, lines: [...lines, ...progress.end()] }
}

describe('the builder’s output', () => {
  test('is cut into lines and tells the step, the container and the layer', () => {
    const { progress, lines } = read(
      'Step 1/3 : FROM a:1',
      '\n',
      ' ---> aaaaaaaaaaaa\n',
      'Step 2/3 : RUN x\n',
      ' ---> Running in bbbbbbbbbbbb\n',
      'out',
      'put',
    )
    expect(lines).toEqual([
      'Step 1/3 : FROM a:1',
      ' ---> aaaaaaaaaaaa',
      'Step 2/3 : RUN x',
      ' ---> Running in bbbbbbbbbbbb',
      'output',
    ])
    expect(progress).toMatchObject({
      step: { number: 2, total: 3, instruction: 'RUN x' },
      layer: undefined,
      tail: ['Step 2/3 : RUN x', 'output'],
    })
    expect([...progress.running]).toEqual(['bbbbbbbbbbbb'])
  })

  test('a base is no layer; the last layer of each stage is kept', () => {
    const { progress } = read(
      'Step 1/4 : FROM a\n ---> aaaaaaaaaaaa\nStep 2/4 : RUN x\n ---> bbbbbbbbbbbb\nStep 3/4 : FROM a\n ---> aaaaaaaaaaaa\n',
    )
    expect(progress).toMatchObject({ stages: ['bbbbbbbbbbbb'], layer: undefined })
  })

  test('what does not end its line is not glued to what follows', () => {
    const { progress, lines } = read(
      ' ---> Running in bbbbbbbbbbbb\n',
      'no end',
      'Removing intermediate container bbbbbbbbbbbb\n',
    )
    expect(lines.slice(1)).toEqual(['no end', 'Removing intermediate container bbbbbbbbbbbb'])
    expect(progress.running.size).toBe(0)
    expect(progress.stepContainers.has('bbbbbbbbbbbb')).toBe(true)
  })

  test('newer builders say otherwise that a container is gone', () => {
    const { progress } = read(' ---> Running in bbbbbbbbbbbb\n', ' ---> Removed intermediate container bbbbbbbbbbbb\n')
    expect(progress.running.size).toBe(0)
    expect(progress.layer).toBeUndefined()
  })

  test('standard error loses the colour that Docker gives it, not its own', () => {
    expect(read('\u001b[91mwarning\n\u001b[0m', '\u001b[32mgreen\u001b[0m\n').lines).toEqual([
      'warning',
      '\u001b[32mgreen\u001b[0m',
    ])
  })

  test('of a progress bar the last state counts, of a pull each change', () => {
    expect(read('1%\r50%\r100%\r\n').lines).toEqual(['100%'])
    const progress = new BuildProgress()
    expect(progress.read({ status: 'Downloading', id: 'abc', progressDetail: { current: 1 } })).toEqual([])
    expect(progress.read({ status: 'Pull complete', id: 'abc', progressDetail: {} })).toEqual(['abc: Pull complete'])
  })

  test('however it is cut into pieces, the same lines come out', () => {
    const text = fc
      .array(fc.stringMatching(/^[ab]{1,6}$/), { minLength: 1, maxLength: 8 })
      .map((lines) => `${lines.join('\n')}\n`)
    fc.assert(
      fc.property(text, fc.array(fc.nat(60)), (whole, cuts) => {
        const points = [0, ...cuts.filter((cut) => cut < whole.length).sort((a, b) => a - b), whole.length]
        const pieces = points.slice(1).map((end, index) => whole.slice(points[index], end))
        expect(read(...pieces).lines).toEqual(whole.trimEnd().split('\n'))
      }),
    )
  })

  test('never keeps more than a few lines, nor many forged containers', () => {
    const { progress } = read(
      ...Array.from({ length: 500 }, (_, index) => ` ---> Running in ${index.toString(16).padStart(12, '0')}\nx\n`),
    )
    expect(progress.tail).toHaveLength(20)
    expect(progress.running.size).toBe(50)
    expect(progress.running.has('000000000000')).toBe(true)
  })
})
