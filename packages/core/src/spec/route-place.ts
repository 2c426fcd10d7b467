import { type Parsed, parsed, refused } from './spec-issue.ts'

/** A host that a route is for: an exact name, `*.suffix` for all names below one, or `*` for all. Lower case. */
export function parseHost(text: string): Parsed<string> {
  const host = text.toLowerCase()
  if (host === '*') return parsed(host)
  const scheme = /^[a-z]+:\/\//.exec(host)
  if (scheme !== null) {
    return refused(`${JSON.stringify(text)}: a host has no "${scheme[0]}"`, `write ${text.slice(scheme[0].length)}`)
  }
  const port = /^([^:[\]]+):[0-9]*$/.exec(host)
  if (port !== null) {
    return refused(
      `${JSON.stringify(text)}: a route has no port, the gateway’s are the same for all`,
      `write ${port[1]}`,
    )
  }
  if (/[^\0-\x7f]/.test(host)) {
    return refused(`${JSON.stringify(text)}: a host is written in its ASCII form`, 'the one that starts with xn--')
  }
  const labels = (host.startsWith('*.') ? host.slice(2) : host).split('.')
  const valid = host.length <= 253 && labels.every((label) => /^[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?$/.test(label))
  return valid
    ? parsed(host)
    : refused(`${JSON.stringify(text)} is no host name: write one such as shop.example.com, *.example.com or *`)
}

/** A prefix of whole segments: `/api` stands for `/api` and `/api/…`. No trailing slash but for `/` itself. */
export function parseRoutePath(text: string): Parsed<string> {
  if (!text.startsWith('/')) return refused(`the path ${JSON.stringify(text)} is not absolute`, `write /${text}`)
  if (/[?#]/.test(text)) return refused(`the path ${JSON.stringify(text)} holds a query: routes go by the path alone`)
  if (text.includes('%')) {
    return refused(`the path ${JSON.stringify(text)} is encoded`, 'write its characters as they are, without %')
  }
  if (/[\0-\x20\x7f\\*]/.test(text) || text.length > 1024)
    return refused(`${JSON.stringify(text)} is no path of a route: it is a plain prefix, such as /api`)
  const steps = text.split('/').slice(1)
  if (steps.at(-1) === '') steps.pop()
  if (steps.includes('')) return refused(`the path ${JSON.stringify(text)} holds an empty segment ("//")`)
  if (steps.includes('..') || steps.includes('.'))
    return refused(`the path ${JSON.stringify(text)} holds "." or "..": write where it leads`)
  return parsed(`/${steps.join('/')}`)
}
