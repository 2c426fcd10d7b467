import type { Draft } from './draft.ts'
import type { SourceFiles } from './source-files.ts'

export function detectDockerfile(files: SourceFiles, path = 'Dockerfile'): Draft | undefined {
  const text = files.read(path)
  if (text === undefined) return undefined
  const stage = lastStage(instructions(text))
  const ports = exposedPorts(stage)
  const healthPath = checkedPath(stage)
  const hasCommand = stage.some(({ name }) => name === 'CMD' || name === 'ENTRYPOINT')
  return {
    found: `an image of its own, from ${path}`,
    build: { dockerfile: path },
    entrypoints: [
      {
        name: 'web',
        ...(ports.length === 0 ? {} : { ports }),
        ...(healthPath === undefined || ports.length === 0 ? {} : { healthPath }),
        comment: hasCommand ? 'Runs the image’s own command (CMD).' : `${path} has no CMD: add a command here.`,
      },
    ],
    notes: ports.length === 0 ? [`${path} exposes no port: if it serves requests, add \`ports: [8080]\` to web`] : [],
  }
}

interface Instruction {
  readonly name: string
  readonly rest: string
}

/** Comments dropped, continued lines joined. */
function instructions(text: string): Instruction[] {
  const whole = text
    .split(/\r?\n/)
    .filter((line) => !/^\s*#/.test(line))
    .join('\n')
    .replace(/\\[ \t]*\n/g, ' ')
  return whole.split('\n').flatMap((line) => {
    const [, name, rest] = /^\s*([A-Za-z]+)\s+(\S.*)$/.exec(line) ?? []
    return name === undefined || rest === undefined ? [] : [{ name: name.toUpperCase(), rest: rest.trim() }]
  })
}

function lastStage(all: readonly Instruction[]): readonly Instruction[] {
  return all.slice(all.findLastIndex(({ name }) => name === 'FROM') + 1)
}

function exposedPorts(stage: readonly Instruction[]): number[] {
  const variables = new Map<string, string>()
  const ports = new Set<number>()
  for (const { name, rest } of stage) {
    if (name === 'ENV' || name === 'ARG')
      for (const [, key = '', value = ''] of rest.matchAll(/(\w+)[= ]["']?([^\s"']+)/g)) variables.set(key, value)
    if (name !== 'EXPOSE') continue
    for (const word of rest.split(/\s+/)) {
      const plain = word.replace(/\$\{?(\w+)(?::-(\w+))?\}?/g, (_all, key, other) => variables.get(key) ?? other ?? '')
      const [, port] = /^([0-9]{1,5})(?:\/tcp)?$/.exec(plain) ?? []
      if (Number(port) >= 1 && Number(port) <= 65_535) ports.add(Number(port))
    }
  }
  return [...ports]
}

/** `HEALTHCHECK CMD curl -f http://localhost:8080/healthz` → `/healthz` */
function checkedPath(stage: readonly Instruction[]): string | undefined {
  const check = stage.findLast(({ name }) => name === 'HEALTHCHECK')?.rest ?? ''
  return /https?:\/\/(?:localhost|127\.0\.0\.1|0\.0\.0\.0)(?::[^/\s"']*)?(\/[\w./-]*)/.exec(check)?.[1]
}
