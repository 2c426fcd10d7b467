import { expect, it } from 'vitest'
import { createProgram } from '../main.ts'

it.each([
  ['/nowhere/plan.json', 'read the plan /nowhere/plan.json: there is none; `berth plan --save FILE` makes one'],
  [import.meta.filename, '`berth plan --save FILE` makes one'],
])('apply of %s says where plans come from', async (file, says) => {
  const apply = createProgram({ version: '0' }).parseAsync(['node', 'berth', 'apply', file])
  await expect(apply).rejects.toMatchObject({ code: 'plan.unreadable', message: expect.stringContaining(says) })
})
