import { mkdtemp, rm, utimes, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { extract } from 'tar-stream'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { describeImages, type ImageDefinition, imageArchive, type Layer } from './image-archive.ts'

let dir: string
let source: string

beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'berth-image-'))
  source = join(dir, 'program')
  await writeFile(source, 'first')
})
afterAll(() => rm(dir, { recursive: true }))

const config = { Env: ['PATH=/bin'], Cmd: ['/bin/sh'], WorkingDir: '/', Labels: {} }
const definitions = (): ImageDefinition[] => {
  const base: Layer = {
    comment: 'base',
    entries: [
      { kind: 'directory', path: 'tmp', mode: 0o1777 },
      { kind: 'text', path: 'etc/passwd', content: 'root:x:0:0\n' },
      { kind: 'symlink', path: 'bin/sh', target: '/bin/busybox' },
    ],
  }
  const program: Layer = { comment: 'program', entries: [{ kind: 'copy', path: 'bin/program', source }] }
  return [
    { tag: 'berth/a:local', layers: [base], config },
    { tag: 'berth/b:local', layers: [base, program], config },
  ]
}

const idsNow = async () => (await describeImages(definitions())).map(({ id }) => id)

describe('describeImages', () => {
  test('equal content gives equal ids, whatever the times of the files', async () => {
    const before = await idsNow()
    await utimes(source, 1, 1)
    expect(await idsNow()).toEqual(before)
  })

  test('the order in which entries are named does not matter', async () => {
    const [a] = definitions()
    const reversed = { ...a!, layers: a!.layers.map((layer) => ({ ...layer, entries: layer.entries.toReversed() })) }
    expect((await describeImages([reversed]))[0]?.id).toBe((await idsNow())[0])
  })

  test('changed content changes the ids of the images that hold it, and of no other', async () => {
    const [a, b] = await idsNow()
    await writeFile(source, 'second')
    const [aAfter, bAfter] = await idsNow()
    expect(aAfter).toBe(a)
    expect(bAfter).not.toBe(b)
  })

  test('a file that is not there is an error, not an empty image', async () => {
    const layer: Layer = { comment: 'x', entries: [{ kind: 'copy', path: 'x', source: join(dir, 'missing') }] }
    await expect(describeImages([{ tag: 'x', layers: [layer], config }])).rejects.toThrow('ENOENT')
  })
})

test('an archive holds a shared layer once, and says which layers make which image', async () => {
  const images = await describeImages(definitions())
  const names: string[] = []
  let list = ''
  const reader = imageArchive(images).pipe(extract())
  for await (const entry of reader) {
    names.push(entry.header.name)
    const chunks: Buffer[] = []
    for await (const chunk of entry) chunks.push(chunk as Buffer)
    if (entry.header.name === 'manifest.json') list = Buffer.concat(chunks).toString()
  }
  expect(names.filter((name) => name.endsWith('.tar'))).toHaveLength(2)
  expect(names.filter((name) => name.endsWith('.json'))).toHaveLength(3)
  const [a, b] = JSON.parse(list) as { RepoTags: string[]; Layers: string[] }[]
  expect(a?.RepoTags).toEqual(['berth/a:local'])
  expect(b?.Layers).toHaveLength(2)
  expect(b?.Layers[0]).toBe(a?.Layers[0])
})
