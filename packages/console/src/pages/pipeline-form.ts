import type { CallInput } from '@berth/api/client'
import type { PipelineView } from '@berth/api/pipeline-resources'
import { BerthError } from '@berth/core/model/berth-error'
import { formatDuration, parseDuration } from '@berth/core/spec/quantities'

export interface PipelineForm {
  readonly branches: string
  readonly tags: string
  readonly deploy: string
  readonly environments: string
  readonly automatic: string
  readonly poll: string
}

export const pipelineForm = (pipeline: PipelineView | undefined): PipelineForm => ({
  branches: pipeline?.branches.join(' ') ?? 'main',
  tags: pipeline?.tags.join(' ') ?? '',
  deploy: pipeline?.deploy ?? '',
  environments: pipeline?.environments.join(' ') ?? '',
  automatic: pipeline?.automatic.join(' ') ?? '',
  poll: pipeline?.pollMs === undefined ? '' : formatDuration(pipeline.pollMs),
})

/** What was typed, as the server takes it, which says what is wrong with it. */
export function pipelineDocument(form: PipelineForm): NonNullable<CallInput<'setPipeline'>['body']> {
  const deploy = form.deploy.trim()
  return {
    branches: wordsOf(form.branches),
    tags: wordsOf(form.tags),
    environments: wordsOf(form.environments),
    automatic: wordsOf(form.automatic),
    ...(deploy === '' ? {} : { deploy }),
    ...(form.poll.trim() === '' ? {} : { pollMs: intervalOf(form.poll.trim()) }),
  }
}

/** Divided by blanks, commas or arrows. */
const wordsOf = (text: string): string[] => text.split(/[\s,→]+/).filter((each) => each !== '')

function intervalOf(text: string): number {
  const read = parseDuration(text)
  if (read.ok) return read.value
  throw new BerthError('usage.value', read.message)
}
