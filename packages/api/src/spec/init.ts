import { proposeName } from '@berth/core'
import { detectGo, detectMaven, detectRuby, detectStatic } from './init/detect-compiled.ts'
import { type ComposeServices, readCompose } from './init/detect-compose.ts'
import { detectDockerfile } from './init/detect-dockerfile.ts'
import { detectNode } from './init/detect-node.ts'
import { readProcfile } from './init/detect-procfile.ts'
import { detectPython } from './init/detect-python.ts'
import type { Draft } from './init/draft.ts'
import type { SourceFiles } from './init/source-files.ts'
import { writeDraft } from './init/write-draft.ts'

export type { SourceFiles } from './init/source-files.ts'

export interface InitOptions {
  /** Of the repository's folder; the app is named after it where the repository names itself nowhere. */
  readonly folder: string
  /** Where the JSON Schema is, for a line that tells editors. */
  readonly schema?: string
}

export interface InitResult {
  readonly yaml: string
  /** What was recognised: `Next.js, from package.json`. */
  readonly found: string
  /** What the owner should know or decide. */
  readonly notes: readonly string[]
}

/** The first that recognises the repository counts: a Dockerfile was written on purpose, index.html may lie anywhere. */
const detectors = [detectNode, detectPython, detectGo, detectRuby, detectMaven, detectStatic]

/** Writes a `berth.yaml` for a repository by looking at it. What it writes always passes `parseSpec`. */
export function initSpec(files: SourceFiles, options: InitOptions): InitResult {
  const draft = withProcfile(files, detect(files) ?? unknown)
  const name = proposeName(draft.name ?? '') ?? proposeName(options.folder) ?? 'app'
  return { yaml: writeDraft(name, draft, options.schema), found: draft.found, notes: draft.notes ?? [] }
}

function detect(files: SourceFiles): Draft | undefined {
  const compose = readCompose(files)
  const dockerfile = compose?.dockerfile ?? 'Dockerfile'
  const own = detectDockerfile(files, dockerfile)
  if (own === undefined) {
    const draft = firstDraft(files)
    return compose === undefined ? draft : withNotes(draft ?? unknown, notesWithoutDockerfile(compose))
  }
  if (compose === undefined || compose.entrypoints.length === 0) return withNotes(own, compose?.notes ?? [])
  const [exposed] = own.entrypoints
  const entrypoints = compose.entrypoints.map((each, index) =>
    index === 0 && each.ports === undefined && exposed?.ports !== undefined ? { ...each, ports: exposed.ports } : each,
  )
  return { ...own, found: `${own.found} and ${compose.path}`, entrypoints, notes: compose.notes }
}

/** What the services of a compose file are built from is not there, so that nothing of them can be taken over. */
function notesWithoutDockerfile({ path, dockerfile, entrypoints, notes }: ComposeServices): readonly string[] {
  if (dockerfile === undefined) return [`${path} was read; none of its services is built here`, ...notes]
  const names = entrypoints.map(({ name }) => name).join(', ')
  return [`${path} builds ${names} from ${dockerfile}, which is not there: nothing of it was taken over`, ...notes]
}

function firstDraft(files: SourceFiles): Draft | undefined {
  for (const detector of detectors) {
    const draft = detector(files)
    if (draft !== undefined) return draft
  }
  return undefined
}

const withNotes = (draft: Draft, notes: readonly string[]): Draft => ({
  ...draft,
  notes: [...(draft.notes ?? []), ...notes],
})

/** A Procfile says what runs, whatever else was guessed; how it is built stays. */
function withProcfile(files: SourceFiles, draft: Draft): Draft {
  const web = draft.entrypoints.find(({ ports }) => ports !== undefined)
  const processes = readProcfile(files, web?.ports?.[0] ?? 8080)
  if (processes === undefined) return draft
  const entrypoints = processes.entrypoints.map((each) =>
    each.name === 'web' && web?.healthPath !== undefined ? { ...each, healthPath: web.healthPath } : each,
  )
  return { ...draft, found: `${draft.found}, and Procfile`, entrypoints, before: processes.before }
}

const unknown: Draft = {
  found: 'nothing that is known, so this is an example',
  build: { base: 'busybox:1.37' },
  entrypoints: [
    {
      name: 'web',
      command: ['busybox', 'httpd', '-f', '-p', '8080', '-h', '/app'],
      ports: [8080],
      comment: 'Say what runs.',
    },
  ],
  notes: ['say under `build` what the app is made of, and under `entrypoints` what runs'],
}
