import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { basename, join, relative, resolve } from 'node:path'
import { BerthError, proposeName } from '@berth/core'
import type { Command } from 'commander'
import { Exit, exitCode } from '../exit-code.ts'
import { printItem } from '../output/print.ts'
import { action } from './command.ts'

export function registerSpec(program: Command): void {
  program
    .command('validate')
    .summary('check a berth.yaml')
    .description('Checks a berth.yaml here, without a server, and shows every mistake at once.')
    .argument('[file]', 'berth.yaml or its folder', '.')
    .action(
      action(async ({ out, form }, [path = '.']) => {
        const { formatProblems, parseSpec } = await import('@berth/api/spec/index')
        const file = existsSync(join(path, 'berth.yaml')) ? join(path, 'berth.yaml') : path
        const text = read(file)
        const { spec, problems } = parseSpec(text)
        if (form !== 'table') return printItem({ file, problems, spec }, form, out, () => '')
        if (problems.length === 0) return out.note(`${out.style.green('✔')} ${file} is valid`)
        out.note(formatProblems(problems, file, text))
        throw new Exit(exitCode.failed)
      }),
    )
  program
    .command('init')
    .summary('write a berth.yaml by looking at the repository')
    .argument('[dir]', 'of the repository', '.')
    .option('--app <name>', "the app's name (default: the folder's)")
    .option('--force', 'over one that is there')
    .option('--print', 'print it instead of writing it')
    .action(
      action<{ app?: string; force?: boolean; print?: boolean }>(async ({ out }, [dir = '.'], options) => {
        const { initSpec } = await import('@berth/api/spec/index')
        const root = resolve(dir)
        const file = join(root, 'berth.yaml')
        if (existsSync(file) && options.force !== true && options.print !== true) {
          throw new BerthError(
            'init.exists',
            `${file} is there already; --force writes over it, --print shows what it would be`,
          )
        }
        const app = options.app ?? proposeName(basename(root)) ?? 'app'
        const { text, notes } = initSpec(folder(root), { app })
        if (options.print === true) return out.text(text)
        writeFileSync(file, text)
        for (const note of notes) out.note(`  ${note}`)
        out.note(
          `${out.style.green('✔')} wrote ${relative(process.cwd(), file) || file}; look at it, commit it, then: berth deploy`,
        )
      }),
    )
}

function read(file: string): string {
  try {
    return readFileSync(file, 'utf8')
  } catch (error) {
    const missing = (error as NodeJS.ErrnoException).code === 'ENOENT'
    throw new BerthError(
      'usage.no-file',
      `read ${file}: ${missing ? 'there is none; write one with `berth init`' : (error as Error).message}`,
    )
  }
}

/** The top of a repository as the look at it wants it: names and small text files. */
const folder = (root: string) => ({
  list: () => readdirSync(root),
  read: (path: string) => {
    const full = join(root, path)
    return existsSync(full) ? readFileSync(full, 'utf8') : undefined
  },
})
