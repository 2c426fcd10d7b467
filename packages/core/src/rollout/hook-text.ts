import type { StageHookSpec } from '../model/index.ts'

/** `job notify`, `https://ci.example/hook`: what stands in messages, without what a URL says behind its path. */
export function hookText(hook: StageHookSpec): string {
  if (hook.type === 'job') return `job ${hook.job}`
  const end = hook.url.search(/[?#]/)
  return end < 0 ? hook.url : hook.url.slice(0, end)
}
