import { isName, nameRule } from '../model/names.ts'
import type { Pipeline } from '../model/pipeline.ts'
import { isRefPattern } from './ref-pattern.ts'

/** What people say about a pipeline; what is left out is not there. */
export type PipelineDocument = Partial<
  Pick<Pipeline, 'branches' | 'tags' | 'deploy' | 'environments' | 'automatic' | 'pollMs'>
>
export type PipelineSettings = Pick<Pipeline, 'branches' | 'tags' | 'deploy' | 'environments' | 'automatic' | 'pollMs'>

export interface PipelineProblem {
  /** `deploy`, `branches[1]` */
  readonly path: string
  readonly message: string
}

export const pollBounds = { minMs: 10_000, maxMs: 86_400_000 }
const maxPatterns = 50
const maxEnvironments = 20

/** The settings, or everything that is wrong with them. */
export function readPipeline(document: PipelineDocument): {
  readonly settings: PipelineSettings
  readonly problems: readonly PipelineProblem[]
} {
  const { branches = [], tags = [], deploy, environments = [], automatic = [], pollMs } = document
  const problems = [
    ...patternProblems('branches', branches),
    ...patternProblems('tags', tags),
    ...chainProblems(environments),
    ...automaticProblems(automatic, environments),
    ...deployProblems(deploy, environments),
    ...pollProblems(pollMs, branches.length + tags.length),
  ]
  const settings = {
    ...{ branches: [...new Set(branches)], tags: [...new Set(tags)], environments: [...environments] },
    automatic: environments.filter((each) => automatic.includes(each)),
    ...(deploy === undefined ? {} : { deploy }),
    ...(pollMs === undefined ? {} : { pollMs }),
  }
  return { settings, problems }
}

function patternProblems(path: string, patterns: readonly string[]): PipelineProblem[] {
  if (patterns.length > maxPatterns)
    return [{ path, message: `there are ${patterns.length} patterns, at most ${maxPatterns} are taken: use stars` }]
  return patterns.flatMap((pattern, index) =>
    isRefPattern(pattern)
      ? []
      : [
          {
            path: `${path}[${index}]`,
            message: `${JSON.stringify(pattern.slice(0, 60))} is no pattern: write a name such as main, release/* or v*, without refs/`,
          },
        ],
  )
}

function chainProblems(environments: readonly string[]): PipelineProblem[] {
  const path = 'environments'
  if (environments.length > maxEnvironments)
    return [{ path, message: `a chain of ${environments.length} is too long: at most ${maxEnvironments}` }]
  return environments.flatMap((name, index) => {
    const at = `${path}[${index}]`
    if (!isName(name))
      return [{ path: at, message: `${JSON.stringify(name.slice(0, 60))} cannot name an environment: use ${nameRule}` }]
    return environments.indexOf(name) === index ? [] : [{ path: at, message: `${name} is in the chain twice` }]
  })
}

const automaticProblems = (automatic: readonly string[], environments: readonly string[]): PipelineProblem[] =>
  automatic.flatMap((name, index) => {
    const path = `automatic[${index}]`
    if (!environments.includes(name)) return [{ path, message: `${name} is not in the chain of environments` }]
    return environments[0] === name
      ? [{ path, message: `${name} is the first of the chain: nothing is promoted to it; let \`deploy\` name it` }]
      : []
  })

/** What goes to a later environment by itself would go past those before it. */
function deployProblems(deploy: string | undefined, environments: readonly string[]): PipelineProblem[] {
  if (deploy === undefined) return []
  const path = 'deploy'
  if (!isName(deploy))
    return [{ path, message: `${JSON.stringify(deploy.slice(0, 60))} cannot name an environment: use ${nameRule}` }]
  const [first] = environments
  return first === undefined || deploy === first
    ? []
    : [
        {
          path,
          message: `the chain begins with ${first}, so what was built goes there: write ${first}, or leave it out`,
        },
      ]
}

function pollProblems(pollMs: number | undefined, patterns: number): PipelineProblem[] {
  if (pollMs === undefined) return []
  const path = 'pollMs'
  if (pollMs < pollBounds.minMs || pollMs > pollBounds.maxMs)
    return [{ path, message: 'the repository is asked at most every 10 seconds, and at least once a day' }]
  return patterns === 0 ? [{ path, message: 'there is nothing to ask for: name a branch or a tag' }] : []
}
