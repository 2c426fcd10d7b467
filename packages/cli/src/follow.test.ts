import type { Client, InstanceView, RolloutView, WatchEvent } from '@berth/api'
import { BerthError } from '@berth/core'
import { describe, expect, it } from 'vitest'
import type { CommandContext } from './command-context.ts'
import { followBuild, followRollout } from './follow.ts'
import { createStyle } from './output/style.ts'

const gone = (code = 'server.gone') => new BerthError(code, 'the connection broke off', { retryable: true })

function contextWith(client: Partial<Record<keyof Client, unknown>>) {
  const notes: string[] = []
  const context = {
    client,
    signal: new AbortController().signal,
    servers: { endpoints: [{ type: 'socket', path: '/run/berth/server.sock' }] },
    out: { style: createStyle(false), note: (text: string) => void notes.push(text) },
  } as unknown as CommandContext
  return { context, notes }
}

const rollout = (state: RolloutView['state']): RolloutView =>
  ({
    ...{ id: 'r-1', app: 'shop', pool: 'production', reason: 'deploy', from: 'v1', to: 'v2', state },
    ...{ message: state === 'succeeded' ? 'v2 serves' : 'under way', createdAt: 0, updatedAt: 1500, createdBy: 'ana' },
    ...{ entrypoints: [], ...(state === 'succeeded' ? { endedAt: 1500 } : {}) },
  }) as unknown as RolloutView

const instance = (name: string, changes: Partial<InstanceView>): InstanceView =>
  ({
    ...{ id: `shop.production.${name}`, name, app: 'shop', pool: 'production', entrypoint: 'web', type: 'service' },
    ...{ rollout: 'r-1', node: 'n1', phase: 'running', desired: 'run', ready: false, restarts: 0, createdAt: 0 },
    ...changes,
  }) as unknown as InstanceView

const put = <T>(item: T): WatchEvent<T> => ({ type: 'put', item, revision: 2 }) as unknown as WatchEvent<T>

describe('following a rollout', () => {
  it('tells each thing once, goes on over a restart of the server, and waits for one that is away', async () => {
    let attempts = 0
    const lines: (readonly WatchEvent<InstanceView>[])[] = [
      [
        put(instance('migrate-1', { type: 'job', ready: true })),
        put(instance('migrate-1', { type: 'job', phase: 'ended', lastExit: { code: 0, outOfMemory: false, at: 300 } })),
        put(instance('web-2', { phase: 'assigned', message: 'pulls the image' })),
        put(instance('web-2', { phase: 'assigned', message: 'pulls the image' })),
      ],
      [put(instance('web-2', { ready: true, readyAt: 900 }))],
    ]
    const { context, notes } = contextWith({
      call: async () => {
        attempts += 1
        if (attempts === 2) throw gone('server.unreachable')
        return rollout('running')
      },
      list: async (name: string) => ({
        items:
          name === 'listRollouts'
            ? [rollout('running')]
            : attempts === 1
              ? []
              : [instance('web-2', { phase: 'assigned', message: 'pulls the image' })],
        revision: 1,
      }),
      async *watch(name: string) {
        if (name === 'listInstances') yield* lines.shift() ?? []
        // Both streams break off at once, as they do when the server is killed.
        await new Promise((resolve) => setImmediate(resolve))
        if (attempts === 1) throw gone()
        if (name === 'listRollouts') yield put(rollout('succeeded'))
      },
    })
    await expect(followRollout(context, 'r-1')).resolves.toMatchObject({ state: 'succeeded' })
    expect(notes).toEqual([
      '✔ migrate-1 on n1          done   0.3s',
      '· web-2 on n1              pulls the image',
      '! the server went away; rollout r-1 goes on, waiting for the server',
      '✔ web-2 on n1              ready  0.9s',
      '✔ shop/production succeeded in 1.5s: v2 serves',
    ])
  })

  it('fails with what the server says of it', async () => {
    const { context } = contextWith({
      call: async () => {
        throw new BerthError('rollout.not-found', 'no rollout r-9')
      },
    })
    await expect(followRollout(context, 'r-9')).rejects.toMatchObject({ code: 'rollout.not-found' })
  })
})

describe('following a build', () => {
  const ended = {
    id: 'b-1',
    app: 'shop',
    state: 'failed',
    endedAt: 1,
    error: { code: 'spec.invalid', message: 'two\nlines' },
  }

  it.each([
    ['what the error says is not said twice', ['fetching', 'failed: two', 'lines'], ['  fetching']],
    ['a failure that was got over stays', ['failed: no node', 'fetching'], ['  failed: no node', '  fetching']],
  ])('%s', async (_, output, expected) => {
    const { context, notes } = contextWith({
      async *lines() {
        for (const line of output) yield { at: 0, stream: 'stdout', line }
      },
      list: async () => ({ items: [], revision: 1 }),
      call: async () => ended,
    })
    await expect(followBuild(context, 'b-1')).rejects.toThrow('build b-1 of shop failed: two\nlines')
    expect(notes).toEqual(expected)
  })

  it('shows its lines once over a restart of the server', async () => {
    let attempts = 0
    const { context, notes } = contextWith({
      async *lines() {
        attempts += 1
        yield { at: 0, stream: 'stdout', line: 'fetching' }
        if (attempts === 1) throw gone()
        yield { at: 0, stream: 'stdout', line: 'made' }
      },
      list: async () => ({ items: [], revision: 1 }),
      call: async () => ({ id: 'b-1', state: 'succeeded', endedAt: 1 }),
    })
    await expect(followBuild(context, 'b-1')).resolves.toMatchObject({ state: 'succeeded' })
    expect(notes).toEqual(['  fetching', '! the server went away; build b-1 goes on, waiting for the server', '  made'])
  })
})
