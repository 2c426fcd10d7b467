import type { NodeView } from '@berth/api/node-resources'
import { imageRules } from '@berth/core/model/image-limits'
import { formatBytes } from '../format/quantities.ts'
import type { GroupDictionary } from '../i18n/dictionary.ts'

/** `takes 2, gives 2 at once, 50 MiB a second` */
export function imagesTextOf(text: GroupDictionary['placing'], rules: NodeView['imageRules']): string {
  const { takes, gives, bytesPerSecond } = imageRules(undefined, rules)
  return text.imagesText(takes, gives, bytesPerSecond === undefined ? undefined : formatBytes(bytesPerSecond))
}
