import { expect, test } from 'vitest'
import { parseLdd, sharedLibraries } from './shared-libraries.ts'

const LDD = `	linux-vdso.so.1 (0x00007ffc8b5f2000)
	libstdc++.so.6 => /lib/x86_64-linux-gnu/libstdc++.so.6 (0x00007f1be0600000)
	libc.so.6 => /lib/x86_64-linux-gnu/libc.so.6 (0x00007f1be041e000)
	/lib64/ld-linux-x86-64.so.2 (0x00007f1be0999000)
`

test('the loader and the libraries, not what the kernel brings', () => {
  expect(parseLdd('node', LDD)).toEqual([
    '/lib/x86_64-linux-gnu/libstdc++.so.6',
    '/lib/x86_64-linux-gnu/libc.so.6',
    '/lib64/ld-linux-x86-64.so.2',
  ])
})

test('a missing library is named', () => {
  expect(() => parseLdd('/opt/node', '\tlibatomic.so.1 => not found\n')).toThrow('/opt/node needs libatomic.so.1')
})

test('this Node needs a C library and a loader', async () => {
  const found = await sharedLibraries(process.execPath)
  expect(found.some((path) => path.includes('/libc.so'))).toBe(true)
  expect(found.some((path) => path.includes('/ld-linux'))).toBe(true)
})
