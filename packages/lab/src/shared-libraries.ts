import { BerthError } from '@berth/core'
import { type RunOptions, runCommand } from './command.ts'

/** The paths of the loader and of every library that a program needs, as ldd(1) finds them here; none for a static program. */
export async function sharedLibraries(program: string, options: RunOptions = {}): Promise<string[]> {
  const { code, stdout, stderr } = await runCommand(['ldd', program], options)
  if (/not a dynamic executable|statically linked/.test(stdout + stderr)) return []
  if (code !== 0)
    throw new BerthError('lab.libraries', `find the libraries of ${program}: ${stderr.trim() || stdout.trim()}`)
  return parseLdd(program, stdout)
}

/** Lines are `name => /path (0x...)`, `/path/of/the/loader (0x...)`, `name => not found`, or the kernel's `linux-vdso.so.1 (0x...)`. */
export const parseLdd = (program: string, output: string): string[] => {
  const lines = output.split('\n').map((line) => line.trim())
  const missing = lines.flatMap((line) => line.match(/^(\S+) => not found/)?.[1] ?? [])
  if (missing.length > 0) {
    throw new BerthError(
      'lab.libraries',
      `${program} needs ${missing.join(', ')}, which this machine lacks; install them and repeat`,
    )
  }
  return lines.flatMap((line) => line.match(/(?:^|=> )(\/\S+) \(0x/)?.[1] ?? [])
}
