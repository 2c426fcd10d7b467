import { BerthError } from './berth-error.ts'

/** Apps, entrypoints, pools and environments: short enough that every name made of them is a valid DNS label. */
const namePattern = /^[a-z]([a-z0-9-]{0,38}[a-z0-9])?$/
export const nameRule = 'a lower-case letter, then up to 39 letters, digits or dashes, not ending in a dash'
/** The same rule for a JSON Schema. */
export const nameSource = namePattern.source

const secretNamePattern = /^[A-Za-z0-9][A-Za-z0-9._-]{0,62}$/
export const secretNameRule = 'letters, digits, `.`, `_` and `-`, at most 63 of them, starting with a letter or a digit'
export const secretNameSource = secretNamePattern.source

const variableNamePattern = /^[A-Za-z_][A-Za-z0-9_]*$/
export const variableNameSource = variableNamePattern.source

export type NamedKind =
  | 'app'
  | 'entrypoint'
  | 'pool'
  | 'environment'
  | 'node'
  | 'node group'
  | 'address pool'
  | 'network'
  | 'freeze'
  | 'approval rule'

const articles = {
  ...{ app: 'an', entrypoint: 'an', environment: 'an', 'address pool': 'an' },
  ...{ pool: 'a', node: 'a', 'node group': 'a', network: 'a', freeze: 'a', 'approval rule': 'an' },
} as const satisfies Record<NamedKind, string>

export const isName = (text: string): boolean => namePattern.test(text)

/** Name of a secret, and of the file below `/run/secrets` that holds it. */
export const isSecretName = (text: string): boolean => secretNamePattern.test(text) && !text.includes('..')

export const isVariableName = (text: string): boolean => variableNamePattern.test(text)

/** Returns the name, or throws `name.invalid`. */
export function checkName(kind: NamedKind, text: string): string {
  if (isName(text)) return text
  const proposal = proposeName(text)
  const hint = proposal === undefined ? '' : `; "${proposal}" would do`
  throw new BerthError(
    'name.invalid',
    `${JSON.stringify(text)} cannot name ${articles[kind]} ${kind}: use ${nameRule}${hint}`,
  )
}

/** The nearest valid name: `My_Shop` → `my-shop`. undefined when nothing of the text is left. */
export function proposeName(text: string): string | undefined {
  const plain = text
    .toLowerCase()
    .replace(/[^a-z0-9]+/g, '-')
    .replace(/^[^a-z]+/, '')
    .slice(0, 40)
    .replace(/-+$/, '')
  return isName(plain) ? plain : undefined
}

/** An entrypoint's name cannot end like `web-3`, which is an instance. */
export const isEntrypointName = (text: string): boolean => isName(text) && !/-[0-9]+$/.test(text)

/** `Web 2` → `web2` */
export function proposeEntrypointName(text: string): string | undefined {
  let name = proposeName(text)
  while (name !== undefined && !isEntrypointName(name)) name = name.replace(/-([0-9]+)$/, '$1')
  return name
}

export interface InstanceName {
  readonly app: string
  readonly pool: string
  readonly entrypoint: string
  readonly ordinal: number
}

/** `shop.production.web-3` */
export const formatInstanceId = (name: InstanceName): string =>
  `${name.app}.${name.pool}.${name.entrypoint}-${name.ordinal}`

/** undefined when the text is no instance id. The ordinal is what follows the last dash. */
export function parseInstanceId(id: string): InstanceName | undefined {
  const match = /^([^.]+)\.([^.]+)\.([^.]+)-(0|[1-9][0-9]{0,8})$/.exec(id)
  if (match === null) return undefined
  const [, app = '', pool = '', entrypoint = '', ordinal = ''] = match
  if (!isName(app) || !isName(pool) || !isName(entrypoint)) return undefined
  return { app, pool, entrypoint, ordinal: Number(ordinal) }
}
