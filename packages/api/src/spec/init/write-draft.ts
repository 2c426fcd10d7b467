import { stringify } from 'yaml'
import type { Draft, DraftBuild, DraftEntrypoint } from './draft.ts'

/** The draft as a commented `berth.yaml`. */
export function writeDraft(name: string, draft: Draft, schema: string | undefined): string {
  const lines = [
    ...(schema === undefined ? [] : [`# yaml-language-server: $schema=${oneLine(schema)}`]),
    `# Made by \`berth init\`: ${oneLine(draft.found)}. Check it with \`berth validate\`.`,
    ...(draft.notes ?? []).map((note) => `# Note: ${oneLine(note)}.`),
    '',
    `app: ${flow(name)}`,
    '',
    '# How the image is made. One image serves every entrypoint and every environment.',
    'build:',
    ...buildLines(draft.build),
    '',
    '# What runs: one image, many commands.',
    'entrypoints:',
    ...draft.entrypoints.flatMap(entrypointLines),
    ...routeLines(name, draft.entrypoints),
    ...rolloutLines(draft.before ?? []),
    '',
    '# Values that differ by environment (the image never does).',
    '# environments:',
    '#   staging:',
    '#     env: {LOG_LEVEL: debug}',
    `#     entrypoints: {${draft.entrypoints[0]?.name ?? 'web'}: {replicas: 1}}`,
  ]
  return `${lines.join('\n')}\n`
}

/** On one line: a text with line breaks would become a block otherwise. */
const flow = (value: unknown): string =>
  typeof value === 'string' && /[\p{Cc}\u0085\u2028\u2029]/u.test(value)
    ? JSON.stringify(value)
    : stringify(value, { collectionStyle: 'flow', flowCollectionPadding: false, lineWidth: 0 }).trimEnd()

/** Nothing found in a repository may end the comment that mentions it. */
const oneLine = (text: string): string => text.replace(/[\p{Cc}\u2028\u2029]+/gu, ' ')

function buildLines(build: DraftBuild): string[] {
  if ('dockerfile' in build) return [`  dockerfile: ${flow(build.dockerfile)}`]
  const { base, dependencies, run = [] } = build
  return [
    `  base: ${flow(base)}`,
    ...(dependencies === undefined
      ? []
      : [
          '  # Installed in a layer of their own, made again only when these files change.',
          '  dependencies:',
          `    files: ${flow(dependencies.files)}`,
          `    run: ${flow(dependencies.run)}`,
        ]),
    ...(run.length === 0 ? [] : [`  run: ${run.length === 1 ? flow(run[0]) : flow(run)}`]),
  ]
}

function entrypointLines(entrypoint: DraftEntrypoint): string[] {
  const { name, type, command, ports, healthPath, env, comment } = entrypoint
  const isService = type === undefined
  return [
    `  ${name}:`,
    ...(comment === undefined ? [] : [`    # ${oneLine(comment)}`]),
    ...(isService ? [] : ['    type: job']),
    ...(command === undefined ? [] : [`    command: ${flow(command)}`]),
    ...(isService ? ['    replicas: 1'] : []),
    '    cpu: 0.5',
    '    memory: 512Mi',
    ...(ports === undefined ? [] : [`    ports: ${flow(ports)}`]),
    ...(healthPath === undefined ? [] : ['    health:', `      readiness: {http: ${flow(healthPath)}}`]),
    ...(env === undefined
      ? []
      : ['    env:', ...Object.entries(env).map(([key, value]) => `      ${key}: ${flow(value)}`)]),
  ]
}

function routeLines(name: string, entrypoints: readonly DraftEntrypoint[]): string[] {
  if (!entrypoints.some(({ type, ports = [] }) => type === undefined && ports.length > 0)) return []
  return [
    '',
    '# Where the gateway gets requests for this app from: host names, with a path if need be.',
    'routes:',
    `  - ${name}.localhost`,
    `  # - ${name}.example.com`,
  ]
}

const rolloutLines = (before: readonly string[]): string[] =>
  before.length === 0
    ? []
    : ['', '# These jobs must succeed before the first instance is replaced.', 'rollout:', `  before: ${flow(before)}`]
