import { describe, expect, it } from 'vitest'
import { pipelineDocument, pipelineForm } from './pipeline-form.ts'

const view = {
  ...{ app: 'shop', branches: ['main', 'release/*'], tags: ['v*'], deploy: 'test', version: 3 },
  ...{ environments: ['test', 'production'], automatic: ['production'], pollMs: 300_000 },
  ...{ updatedAt: 0, updatedBy: 'x' },
}

describe('the form of a pipeline', () => {
  it('gives back what it was made of', () => {
    const { branches, tags, deploy, environments, automatic, pollMs } = view
    expect(pipelineDocument(pipelineForm(view))).toEqual({ branches, tags, deploy, environments, automatic, pollMs })
  })

  it('of a new one watches main, and says nothing that was not typed', () => {
    const empty = { branches: ['main'], tags: [], environments: [], automatic: [] }
    expect(pipelineDocument(pipelineForm(undefined))).toEqual(empty)
  })

  it('takes a chain with arrows, and refuses an interval that is none', () => {
    const form = { ...pipelineForm(undefined), environments: 'test → staging, production' }
    expect(pipelineDocument(form).environments).toEqual(['test', 'staging', 'production'])
    expect(() => pipelineDocument({ ...form, poll: 'often' })).toThrow('often')
  })
})
