import fc from 'fast-check'
import { expect, it } from 'vitest'
import { bool, bytes, type Codec, int, int64, message, nested, repeated, string, uint64 } from './protobuf.ts'

interface Leaf {
  readonly text: string
  readonly raw: Buffer
}

interface Tree {
  readonly flag: boolean
  readonly count: number
  readonly signed: string
  readonly unsigned: string
  readonly leaf?: Leaf | undefined
  readonly leaves: readonly Leaf[]
  readonly numbers: readonly number[]
}

const leafCodec: Codec<Leaf> = message<Leaf>({ text: string(1), raw: bytes(2) })
const treeCodec = message<Tree>({
  flag: bool(1),
  count: int(2),
  signed: int64(3),
  unsigned: uint64(40),
  leaf: nested(5, () => leafCodec),
  leaves: repeated(nested(600, () => leafCodec)),
  numbers: repeated(int(7)),
})

const leaf = fc.record({ text: fc.string({ unit: 'grapheme' }), raw: fc.uint8Array().map((one) => Buffer.from(one)) })
const tree: fc.Arbitrary<Tree> = fc.record({
  flag: fc.boolean(),
  count: fc.maxSafeInteger(),
  signed: fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }).map(String),
  unsigned: fc.bigInt({ min: 0n, max: 2n ** 64n - 1n }).map(String),
  leaf: fc.option(leaf, { nil: undefined }),
  leaves: fc.array(leaf),
  numbers: fc.array(fc.maxSafeInteger()),
})

it('reads what it wrote', () => {
  fc.assert(
    fc.property(tree, (value) => {
      expect(treeCodec.decode(treeCodec.encode(value))).toEqual(value)
    }),
  )
})

it('skips fields that it does not know, and fills in what is missing', () => {
  fc.assert(
    fc.property(tree, (value) => {
      const known = message<Pick<Tree, 'count' | 'numbers'> & { readonly more: string }>({
        count: int(2),
        numbers: repeated(int(7)),
        more: string(99),
      })
      expect(known.decode(treeCodec.encode(value))).toEqual({ count: value.count, numbers: value.numbers, more: '' })
    }),
  )
})

it('reads the bytes of the specification', () => {
  const one = message<{ readonly a: number }>({ a: int(1) })
  expect(one.decode(Buffer.from('089601', 'hex'))).toEqual({ a: 150 })
  const two = message<{ readonly b: string }>({ b: string(2) })
  expect(two.encode({ b: 'testing' }).toString('hex')).toBe('120774657374696e67')
  const packed = message<{ readonly f: readonly number[] }>({ f: repeated(int(6)) })
  expect(packed.decode(Buffer.from('3206038e029ea705', 'hex'))).toEqual({ f: [3, 270, 86942] })
})

it('refuses what is cut off or too long, and never reads beyond', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 40 }), (noise) => {
      try {
        treeCodec.decode(Buffer.from(noise))
      } catch (error) {
        expect(error).toBeInstanceOf(RangeError)
      }
    }),
  )
  expect(() => treeCodec.decode(Buffer.from('10ffffffffffffffffffff01', 'hex'))).toThrow(RangeError)
})
