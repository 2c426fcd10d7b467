import { type LogEntry, oneLine } from './source-store.ts'
import { attribute, elements, elementText } from './svn-xml.ts'

/** Of `svn log --xml`, in its order. An author is who the repository says it was; absent where it lets nobody see. */
export const logEntries = (xml: string): LogEntry[] =>
  elements(xml, 'logentry').map((entry) => ({
    commit: `r${attribute(entry, 'logentry', 'revision') ?? ''}`,
    author: oneLine(elementText(entry, 'author') ?? ''),
    at: Date.parse(elementText(entry, 'date') ?? '') || 0,
    subject: oneLine(elementText(entry, 'msg') ?? ''),
  }))
