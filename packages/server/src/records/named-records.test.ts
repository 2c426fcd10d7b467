import { BerthError } from '@berth/core'
import { afterEach, beforeEach, expect, it } from 'vitest'
import { checkVersion, NamedRecords } from './named-records.ts'
import { openTemporaryRecords, type RecordsUnderTest } from './open-records.testing.ts'
import { app } from './sample-records.testing.ts'

let under: RecordsUnderTest
let apps: NamedRecords<'apps'>
beforeEach(async () => {
  under = await openTemporaryRecords()
  apps = new NamedRecords(under.records, {
    ...{ kind: 'apps', most: 2 },
    missing: (name, hint) => new BerthError('app.not-found', `no ${name}; ${hint}`),
    tooMany: (name, most) => new BerthError('app.too-many', `make ${name}: there are ${most}`),
  })
})
afterEach(() => under[Symbol.asyncDispose]())

const by = { actor: 'token:ci' }
const event = { type: 'app.created', subject: {}, message: 'made' } as const
const exists = (name: string) => new BerthError('app.exists', `there is ${name}`)
const codeOf = (promise: Promise<unknown>) => promise.then(() => 'none').catch((error) => error.code)

it('adds one of a name, and as many as there may be', async () => {
  expect(await apps.add(app('shop'), exists, event, by)).toEqual(app('shop'))
  expect(await codeOf(apps.add(app('shop'), exists, event, by))).toBe('app.exists')
  await apps.add(app('blog'), exists, event, by)
  expect(await codeOf(apps.add(app('forum'), exists, event, by))).toBe('app.too-many')
  expect(under.state.events.all()).toMatchObject(Array(2).fill({ ...event, actor: 'token:ci' }))
})

it('changes what is there, and writes nothing where nothing is told', async () => {
  const decide = (before?: ReturnType<typeof app>) =>
    before === undefined ? { record: app('shop'), event } : { record: before }
  await apps.put('shop', decide, by)
  const { revision } = under.state
  expect(await apps.put('shop', decide, by)).toEqual(app('shop'))
  expect(under.state.revision).toBe(revision)
})

it('removes what is there, unless it is refused', async () => {
  await apps.add(app('shop'), exists, event, by)
  const refuse = () => {
    throw new BerthError('app.in-use', 'somebody uses it')
  }
  expect(await codeOf(apps.remove('shop', refuse, by))).toBe('app.in-use')
  await expect(apps.remove('shpo', () => event, by)).rejects.toThrow('no shpo; did you mean shop?')
  await apps.remove('shop', () => event, by)
  await expect(apps.remove('shop', () => event, by)).rejects.toThrow('no shop; there are: none')
})

it.each([
  [undefined, undefined, undefined],
  [undefined, 0, undefined],
  [undefined, 3, 0],
  [3, 3, undefined],
  [3, undefined, undefined],
  [3, 0, 3],
])('of version %s, wanted with version %s', (has, wanted, refusedWith) => {
  const check = () =>
    checkVersion(has === undefined ? has : { version: has }, wanted, (version) => new BerthError('a.b', `${version}`))
  if (refusedWith === undefined) expect(check).not.toThrow()
  else expect(check).toThrow(String(refusedWith))
})
