import type { AddressMode, EntrypointSpec, EntrypointType } from '../model/app-spec.ts'
import { keepsAddresses } from './keeps-addresses.ts'
import type { EntrypointDocument } from './spec-document.ts'
import type { IssueList, SpecPath } from './spec-issue.ts'

/** undefined: the successor of an instance has another address. */
export function canonicalAddress(
  issues: IssueList,
  path: SpecPath,
  document: EntrypointDocument,
  type: EntrypointType,
): AddressMode | undefined {
  const { address } = document
  if (address === undefined) return undefined
  if (address !== 'keep') {
    const written = JSON.stringify(address.slice(0, 80))
    issues.add([...path, 'address'], `${written} is nothing that could be done with addresses of instances`, {
      suggestion: 'write `address: keep`, or leave it out',
    })
    return undefined
  }
  for (const { key, why } of hindrances(document, type))
    issues.add([...path, 'address'], `addresses cannot be kept: ${why}`, {
      ...{ atKey: true, dependsOn: [[...path, ...key]] },
      suggestion: `leave out \`address\`, or \`${key.join('.')}\``,
    })
  return address
}

function hindrances(
  { network, gang, placement }: EntrypointDocument,
  type: EntrypointType,
): readonly { readonly key: SpecPath; readonly why: string }[] {
  const { strategy } = placement ?? {}
  const isEach = typeof strategy === 'string' ? strategy === 'each' : strategy !== undefined && 'each' in strategy
  return [
    ...(type === 'job' ? [{ key: ['type'], why: 'a job has no successor' }] : []),
    ...(network === undefined || network === 'cluster'
      ? []
      : [
          {
            key: ['network'],
            why: `with \`network: ${network}\` an instance has ${network.startsWith('lan:') ? 'what Docker gives it there' : 'the node’s own'}`,
          },
        ]),
    ...(gang === true
      ? [
          {
            key: ['gang'],
            why: 'those of a gang begin together, and each of these begins when its predecessor has ended',
          },
        ]
      : []),
    ...(isEach
      ? [
          {
            key: ['placement', 'strategy'],
            why: 'with `strategy: each` an instance belongs to its node, as its address does',
          },
        ]
      : []),
  ]
}

type Entrypoints = Readonly<Record<string, EntrypointSpec>>

/** All services of the app do. */
export function allKeepAddresses(entrypoints: Entrypoints): boolean {
  const services = Object.values(entrypoints).filter(({ type }) => type === 'service')
  return services.length > 0 && services.every(keepsAddresses)
}

/** Where no other service could make use of it: at an address that is kept an instance ends before its successor begins. */
export function refuseSurge(issues: IssueList, path: SpecPath, entrypoints: Entrypoints): void {
  const names = Object.keys(entrypoints).filter((name) => entrypoints[name]?.type === 'service')
  issues.add(
    path,
    `${names.join(', ')}: with \`address: keep\` an instance ends before its successor begins, so there is never one more`,
    {
      ...{ atKey: true, dependsOn: names.map((name) => ['entrypoints', name, 'address']) },
      suggestion: 'leave `surge` out; `unavailable` says how many may be missing at a time',
    },
  )
}
