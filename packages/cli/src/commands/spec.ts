import { existsSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import { basename, join, relative, resolve } from 'node:path'
import { BerthError, messageOf } from '@berth/core'
import type { Command } from 'commander'
import { Exit, exitCode } from '../exit-code.ts'
import { readText } from '../files.ts'
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
        const file = isFolder(path) ? join(path, 'berth.yaml') : path
        const text = readText(file, 'write one with `berth init`')
        const { spec, problems } = parseSpec(text)
        const forPeople = form === 'table' || form === 'wide' || form === 'name'
        if (!forPeople) await printItem({ file, problems, spec }, form, out, () => '')
        else if (problems.length > 0) out.note(formatProblems(problems, file, text))
        else out.note(`${out.style.green('✔')} ${file} is valid`)
        if (problems.length > 0) throw new Exit(exitCode.failed)
      }),
    )
  program
    .command('schema')
    .summary('print the JSON Schema of berth.yaml, by which editors complete and explain it')
    .option('--out <file>', 'write it to this file instead')
    .addHelpText(
      'after',
      '\nberth schema --out berth.schema.json\nThen, as the first line of berth.yaml: # yaml-language-server: $schema=./berth.schema.json',
    )
    .action(
      action<{ out?: string }>(async ({ out }, _, { out: file }) => {
        const { specJsonSchema } = await import('@berth/api/spec/index')
        const text = `${JSON.stringify(specJsonSchema(), null, 2)}\n`
        if (file === undefined) return out.text(text)
        write(file, text)
        out.note(`${out.style.green('✔')} wrote ${file}`)
      }),
    )
  program
    .command('init')
    .summary('write a berth.yaml by looking at the repository')
    .argument('[dir]', 'of the repository', '.')
    .option('--force', 'over one that is there')
    .option('--print', 'print it instead of writing it')
    .action(
      action<{ force?: boolean; print?: boolean }>(async ({ out }, [dir = '.'], options) => {
        const { initSpec } = await import('@berth/api/spec/index')
        const root = resolve(dir)
        if (!isFolder(root)) throw new BerthError('usage.no-file', `look at ${root}: there is no such folder`)
        const file = join(root, 'berth.yaml')
        if (existsSync(file) && options.force !== true && options.print !== true) {
          throw new BerthError(
            'init.exists',
            `${file} is there already; --force writes over it, --print shows what it would be`,
          )
        }
        const { yaml: text, found, notes } = initSpec(folder(root), { folder: basename(root) })
        if (options.print === true) return out.text(text)
        write(file, text)
        out.note(`  found: ${found}`)
        for (const note of notes) out.note(`  ${note}`)
        out.note(
          `${out.style.green('✔')} wrote ${relative(process.cwd(), file) || file}; look at it, commit it, then: berth deploy`,
        )
      }),
    )
}

function write(file: string, text: string): void {
  try {
    writeFileSync(file, text)
  } catch (error) {
    throw new BerthError('usage.cannot-write', `write ${file}: ${messageOf(error)}`)
  }
}

const isFolder = (path: string): boolean => statSync(path, { throwIfNoEntry: false })?.isDirectory() === true

/** A repository as `initSpec` looks at it: what is no readable text file is not there. */
const folder = (root: string) => ({
  list: (path: string) => (existsSync(join(root, path)) ? readdirSync(join(root, path)) : []),
  read: (path: string) => {
    const full = join(root, path)
    const isFile = statSync(full, { throwIfNoEntry: false })?.isFile() === true
    return isFile ? readFileSync(full, 'utf8') : undefined
  },
})
