// biome-ignore-all lint/suspicious/noTemplateCurlyInString: these are variables of Dockerfiles
import { describe, expect, test } from 'vitest'
import { foreignImages } from './dockerfile-bases.ts'

describe('the foreign images of a Dockerfile', () => {
  test.each<[string, string, Record<string, string>, string[]]>([
    ['one stage', 'FROM node:26\nRUN true\n', {}, ['node:26']],
    ['lower case, platform, comments', '# x\n\nfrom --platform=linux/amd64 node:26 as build\n', {}, ['node:26']],
    [
      'stages are not foreign',
      'FROM a:1 AS x\nFROM x\nFROM b:2\nCOPY --from=x /a /b\nCOPY --from=0 /a /b\n',
      {},
      ['a:1', 'b:2'],
    ],
    ['copy from an image', 'FROM a:1\nCOPY --chown=1 --from=c:3 /a /b\n', {}, ['a:1', 'c:3']],
    ['scratch', 'FROM scratch\nADD x /\n', {}, []],
    ['arguments with a default', 'ARG TAG=26\nARG NAME="node"\nFROM ${NAME}:$TAG\n', {}, ['node:26']],
    ['given arguments win', 'ARG TAG=26\nFROM node:${TAG}\n', { TAG: '24' }, ['node:24']],
    ['default in the reference', 'FROM node:${TAG:-20}\n', {}, ['node:20']],
    ['without a value', 'ARG TAG\nFROM node:$TAG\n', {}, []],
    ['not global', 'FROM a:1\nARG T=2\nFROM b:$T\n', {}, ['a:1']],
    ['continued lines', 'FROM \\\n  # why\n  node:26 \\\n  AS x\nRUN a \\\n  FROM b:2\n', {}, ['node:26']],
    ['another escape character', '# escape=`\nFROM `\n node:26\nCOPY a C:\\\nFROM b:1\n', {}, ['node:26', 'b:1']],
    ['Windows line ends', 'FROM node:26\r\nRUN x\r\n', {}, ['node:26']],
    ['no Dockerfile at all', 'hello', {}, []],
  ])('%s', (_, text, args, expected) => {
    expect(foreignImages(text, args)).toEqual(expected)
  })
})
