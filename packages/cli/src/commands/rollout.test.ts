import { expect, it } from 'vitest'
import { askUnlessNamed } from './rollout.ts'

it('going back asks first where nobody has said with which rollout', async () => {
  const asked: string[] = []
  const confirm = async (question: string): Promise<void> => void asked.push(question)
  await askUnlessNamed({ confirm }, 'r-12345678', 'r-12345678')
  await askUnlessNamed({ confirm }, 'shop', 'r-12345678')
  expect(asked).toEqual([])
  await askUnlessNamed({ confirm }, undefined, 'r-12345678')
  expect(asked).toEqual(['Go back with rollout r-12345678, the latest here?'])
  const refuse = () => Promise.reject(new Error('there is no terminal'))
  await expect(askUnlessNamed({ confirm: refuse }, undefined, 'r-12345678')).rejects.toThrow('no terminal')
})
