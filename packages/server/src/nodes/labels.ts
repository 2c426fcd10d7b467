import { BerthError } from '@berth/core'

const keyPattern = /^[A-Za-z0-9]([A-Za-z0-9._/-]{0,61}[A-Za-z0-9])?$/
const valuePattern = /^[A-Za-z0-9._:/@+-]{0,63}$/
const maxLabels = 64

/** Throws `node.invalid-label`. */
export function checkLabels(labels: Readonly<Record<string, string>>): void {
  const entries = Object.entries(labels)
  if (entries.length > maxLabels) throw invalid(`a node may have ${maxLabels} labels, not ${entries.length}`)
  for (const [key, value] of entries) {
    if (!keyPattern.test(key))
      throw invalid(`${JSON.stringify(key)} is no label: use letters, digits and . _ / - inside, at most 63`)
    if (!valuePattern.test(value))
      throw invalid(
        `${JSON.stringify(value)} is no value for label ${key}: use letters, digits and . _ : / @ + -, at most 63`,
      )
  }
}

const invalid = (message: string): BerthError => new BerthError('node.invalid-label', message)
