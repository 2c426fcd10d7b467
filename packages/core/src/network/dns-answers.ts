import type { NamedExternal, NameEntry } from '../model/assignment.ts'
import { containsAddress } from './address-block.ts'
import type { AppNames } from './app-names.ts'
import { answerConsul } from './consul-names.ts'
import { answerAddresses, answerExternal } from './external-names.ts'
import type { NameAnswer, NameQuestion, NameQuestionType } from './name-answer.ts'
import { instanceName, type NameIndex } from './name-index.ts'
import { type FoundDomain, findDomain } from './own-domains.ts'
import { addressOfReverse } from './reverse-name.ts'
import { twinned, twinOf } from './twin-address.ts'

/**
 * What a name means to an asker of a pool:
 * `<app>`, `<entrypoint>.<app>` in the asker's pool, and from everywhere `<pool>.<app>`, `<entrypoint>.<pool>.<app>`, `<entrypoint>-<n>.<pool>.<app>`;
 * `_<port name>._<protocol>` before each of them for SRV; all below the domain. PTR for addresses of instances, external services
 * and domains of one's own.
 */
export function answerName(index: NameIndex, question: NameQuestion, askerPool: string | undefined): NameAnswer {
  const { name, type } = question
  if (name === index.domain) return { kind: 'empty' }
  if (name.endsWith(`.${index.domain}`)) {
    const labels = name.slice(0, -index.domain.length - 1).split('.')
    return answerOwn(index, labels, type, askerPool)
  }
  const { consul } = index
  if (consul !== undefined && name === consul.domain) return { kind: 'empty', zone: name }
  if (consul !== undefined && name.endsWith(`.${consul.domain}`))
    return answerConsul(consul, name.slice(0, -consul.domain.length - 1).split('.'), type, index.site)
  const domain = findDomain(index.domains, name)
  if (domain !== undefined) return answerDomain(index, domain, type, askerPool)
  const asked = addressOfReverse(name)
  const address = asked === undefined ? undefined : (twinned(index.twins, asked) ?? asked)
  const pointer = address === undefined ? undefined : pointerOf(index, address)
  if (pointer !== undefined) return type === 'PTR' ? { kind: 'pointer', name: pointer } : { kind: 'empty' }
  return {
    kind:
      address !== undefined && index.blocks.some((block) => containsAddress(block, address)) ? 'unknown' : 'elsewhere',
  }
}

/** What runs there comes first, then external services, then names of one's own. */
function pointerOf(index: NameIndex, address: string): string | undefined {
  const found = index.byAddress.get(address)
  return found === undefined ? index.domains.byAddress.get(address) : `${found}.${index.domain}`
}

/** As its target is, under its own name. */
function answerDomain(
  index: NameIndex,
  { domain, name: zone, service }: FoundDomain,
  type: NameQuestionType,
  askerPool: string | undefined,
): NameAnswer {
  const { target } = domain
  const answer =
    target !== undefined
      ? answerOwn(index, [...service, ...target.split('.')], type, askerPool)
      : answerAddresses(service.length === 0 ? domain : {}, type)
  return answer.kind === 'empty' || answer.kind === 'unknown' ? { ...answer, zone } : answer
}

function answerOwn(
  index: NameIndex,
  labels: readonly string[],
  type: NameQuestionType,
  askerPool: string | undefined,
): NameAnswer {
  const serviceLabels = labels.findIndex((label) => !label.startsWith('_'))
  if (serviceLabels < 0 || serviceLabels > 2) return { kind: 'unknown' }
  const named = labels.slice(serviceLabels)
  const found = findReady(index, named, askerPool)
  if (found === undefined) {
    const external = findExternal(index, named, askerPool)
    return external === undefined ? { kind: 'unknown' } : answerExternal(external, labels, type, index.domain)
  }
  if (serviceLabels === 2) return answerService(index, found, labels, type)
  if (serviceLabels === 1 || (type !== 'A' && type !== 'AAAA')) return { kind: 'empty' }
  const { entries, near } = nearFirst(
    index,
    found.filter((entry) => addressesOf(index, entry, type).length > 0),
  )
  if (entries.length === 0) return { kind: 'empty' }
  const addresses = entries.flatMap((entry) => addressesOf(index, entry, type))
  return { kind: 'addresses', addresses, ...(near === undefined ? {} : { near }) }
}

/** One, or none: an entry of a pool without IPv6 has no other address, nor has one that was made before. */
const addressesOf = (index: NameIndex, { address, only4 }: NameEntry, type: 'A' | 'AAAA'): readonly string[] =>
  type === 'A' ? [address] : only4 === true ? [] : [twinOf(index.twins, address) ?? []].flat()

const nameOf = (index: NameIndex, entry: NameEntry): string => `${instanceName(entry)}.${index.domain}`

function answerService(
  index: NameIndex,
  found: readonly NameEntry[],
  labels: readonly string[],
  type: NameQuestionType,
): NameAnswer {
  const [portName, protocol] = [labels[0]?.slice(1), labels[1]?.slice(1)]
  const { entries, near = entries.length } = nearFirst(index, found)
  const services = entries.flatMap((entry, place) =>
    entry.ports
      .filter((port) => port.name === portName && port.protocol === protocol)
      .map(({ port }) => ({
        ...{
          name: nameOf(index, entry),
          addresses: [...addressesOf(index, entry, 'A'), ...addressesOf(index, entry, 'AAAA')],
          port,
        },
        ...(place < near ? {} : { isFar: true as const }),
      })),
  )
  if (services.length === 0) return { kind: found.length === 0 ? 'empty' : 'unknown' }
  return type === 'SRV' ? { kind: 'services', services } : { kind: 'empty' }
}

/** Those of the asker's site before the others, and how many they are; not told where all are as near. */
function nearFirst(
  { site }: NameIndex,
  found: readonly NameEntry[],
): { readonly entries: readonly NameEntry[]; readonly near?: number } {
  if (site === undefined) return { entries: found }
  const near = found.filter((entry) => entry.site === site)
  if (near.length === 0 || near.length === found.length) return { entries: found }
  return { entries: [...near, ...found.filter((entry) => entry.site !== site)], near: near.length }
}

const none: readonly NameEntry[] = []

/** The ready instances that a name stands for; undefined when there is no such name. */
function findReady(
  index: NameIndex,
  labels: readonly string[],
  askerPool: string | undefined,
): readonly NameEntry[] | undefined {
  const app = index.apps.get(labels.at(-1) ?? '')
  if (app === undefined || labels.length > 3) return undefined
  if (labels.length === 3) return findInPool(app, labels[0] ?? '', labels[1] ?? '')
  const [first] = app.entrypoints
  const name = labels.length === 2 ? labels[0] : first
  if (name === undefined) return undefined
  if (app.entrypoints.has(name)) {
    const pool = poolFor(index, app, askerPool)
    return pool === undefined ? undefined : (app.ready.get(`${name}.${pool}`) ?? none)
  }
  // A pool's name is that of its first entrypoint; it exists even where that is none.
  return app.pools.has(name) ? (app.ready.get(`${first}.${name}`) ?? none) : undefined
}

function findInPool(app: AppNames, name: string, pool: string): readonly NameEntry[] | undefined {
  if (!app.pools.has(pool)) return undefined
  if (app.entrypoints.has(name)) return app.ready.get(`${name}.${pool}`) ?? none
  const one = app.readyOne.get(`${name}.${pool}`)
  return one === undefined ? undefined : [one]
}

/** For one pool before for all; in whose pool nothing of that name is, somebody else's does not count. */
function findExternal(
  { externals, apps, ...index }: NameIndex,
  labels: readonly string[],
  askerPool: string | undefined,
): NamedExternal | undefined {
  const [name = '', second = '', third] = labels
  if (labels.length === 1) return externals.get(name)
  const app = apps.get(third ?? second)
  if (labels.length === 3)
    return externals.get(labels.join('.')) ?? (app?.pools.has(second) ? externals.get(`${name}.${third}`) : undefined)
  const pool = app === undefined ? askerPool : poolFor(index, app, askerPool)
  return (
    (pool === undefined ? undefined : externals.get(`${name}.${pool}.${second}`)) ?? externals.get(labels.join('.'))
  )
}

/** The asker's own pool name where the app has it, else the default, else the only one; several others are nobody's guess. */
export function poolFor(
  index: Pick<NameIndex, 'defaultPool'>,
  app: AppNames,
  askerPool: string | undefined,
): string | undefined {
  if (askerPool !== undefined && app.pools.has(askerPool)) return askerPool
  if (app.pools.has(index.defaultPool)) return index.defaultPool
  const [only, ...others] = app.pools
  return others.length === 0 ? only : undefined
}
