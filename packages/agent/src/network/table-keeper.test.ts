import { describe, expect, it } from 'vitest'
import type { Exec } from './run-command.ts'
import { createTableKeeper } from './table-keeper.ts'

/** As far as it is asked here: what is in force is the last ruleset, unless somebody took it away. */
class PretendedNft {
  readonly written: string[] = []
  inForce: string | undefined
  /** Takes the table away between its writing and the look at it. */
  flushesOnce = false

  readonly exec: Exec = async (_, args, { input } = {}) => {
    if (args[0] === '-f') {
      this.written.push(String(input))
      this.inForce = this.flushesOnce ? undefined : String(input)
      this.flushesOnce = false
      return { code: 0, stdout: '', stderr: '' }
    }
    return this.inForce === undefined
      ? { code: 1, stdout: '', stderr: 'no such table' }
      : { code: 0, stdout: `${args.slice(2).join(' ')}: ${this.inForce}`, stderr: '' }
  }
}

describe('a kept table', () => {
  it('is written once, and again when it is others or gone', async () => {
    const nft = new PretendedNft()
    const keep = createTableKeeper(nft.exec, ['inet berth', 'bridge berth'])
    await keep('a')
    await keep('a')
    expect(nft.written).toEqual(['a'])
    nft.inForce = 'changed'
    await keep('a')
    nft.inForce = undefined
    await keep('a')
    await keep('b')
    expect(nft.written).toEqual(['a', 'a', 'a', 'b'])
  })

  it('is made anew when it was gone before it was first looked at', async () => {
    const nft = new PretendedNft()
    nft.flushesOnce = true
    const keep = createTableKeeper(nft.exec, ['inet berth'])
    await keep('a')
    expect(nft.inForce).toBeUndefined()
    await keep('a')
    expect(nft.inForce).toBe('a')
  })

  it('is taken away once', async () => {
    const nft = new PretendedNft()
    const keep = createTableKeeper(nft.exec, ['inet berth'])
    await keep('', { isRemoval: true })
    await keep('', { isRemoval: true })
    expect(nft.written).toEqual([''])
  })
})
