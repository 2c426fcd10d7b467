import { BerthError } from '@berth/core'
import { type Answer, type ConsulCall, isSet, json, numberOf, type Query, readBody } from './consul-call.ts'
import type { KeySpace, KnownKey } from './key-space.ts'
import { type Keys, keyLimits } from './keys.ts'

/** What of keys is asked for: one, all below a prefix, or only what they are called. */
export function keyQuery(space: KeySpace, key: string, { query }: ConsulCall): Query {
  if (isSet(query, 'keys')) return keysQuery(space, key, query.get('separator') ?? '')
  const isPrefix = isSet(query, 'recurse')
  const isRaw = !isPrefix && isSet(query, 'raw')
  return {
    key: `kv ${isPrefix ? 'recurse' : isRaw ? 'raw' : 'one'} ${key}`,
    topic: space.topicOf(key, isPrefix),
    index: () => space.indexOf(key, isPrefix),
    answer: () => {
      if (isPrefix) {
        const found = space.keysBelow(key).flatMap((each) => space.get(each) ?? [])
        return found.length === 0 ? missing : json(found.map(shapeOf))
      }
      const found = space.get(key)
      if (found === undefined) return missing
      return isRaw ? { status: 200, type: 'octets', body: Buffer.from(found.value, 'base64') } : json([shapeOf(found)])
    },
  }
}

function keysQuery(space: KeySpace, prefix: string, separator: string): Query {
  return {
    key: `kv keys ${JSON.stringify([prefix, separator])}`,
    topic: space.topicOf(prefix, true),
    index: () => space.indexOf(prefix, true),
    answer: () => {
      const names = space.keysBelow(prefix).map((key) => {
        const end = separator === '' ? -1 : key.indexOf(separator, prefix.length)
        return end < 0 ? key : key.slice(0, end + separator.length)
      })
      return names.length === 0 ? missing : json([...new Set(names)])
    },
  }
}

/** Consul says nothing more. */
const missing: Answer = { status: 404, type: 'text', body: '' }

const shapeOf = ({ key, value, flags, createIndex, modifyIndex }: KnownKey) => ({
  ...{ LockIndex: 0, Key: key, Flags: flags, Value: value === '' ? null : value },
  ...{ CreateIndex: createIndex, ModifyIndex: modifyIndex },
})

/** `PUT` and `DELETE`; the answer is `true` or `false`. */
export async function writeKey(keys: Keys, key: string, call: ConsulCall): Promise<Answer> {
  const { query, method, body, identity } = call
  refuseLocks(query)
  const cas = numberOf(query, 'cas')
  const context = { actor: identity.actor }
  if (method === 'DELETE') {
    if (!isSet(query, 'recurse')) return json(await keys.delete(key, cas, context))
    await keys.deleteBelow(key, context)
    return json(true)
  }
  const flags = numberOf(query, 'flags')
  const bytes = await readBody(body, keyLimits.valueBytes)
  const write = {
    ...{ key, bytes },
    ...(cas === undefined ? {} : { cas }),
    ...(flags === undefined ? {} : { flags }),
  }
  return json(await keys.put(write, context))
}

function refuseLocks(query: URLSearchParams): void {
  const lock = ['acquire', 'release'].find((name) => query.has(name))
  if (lock !== undefined)
    throw new BerthError(
      'consul.no-sessions',
      `?${lock}= is refused: Berth keeps no sessions and no locks; use ?cas= for what must not be overwritten`,
    )
}
