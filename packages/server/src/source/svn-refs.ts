import { attribute, elements, elementText } from './svn-xml.ts'

/** Folders of Subversion's usual layout. */
export const svnLayout = { trunk: 'trunk', branches: 'branches', tags: 'tags' } as const

/** Of `svn list --xml`: its folders, with the revision that last changed something in each. */
export function foldersOf(xml: string): Map<string, string> {
  const folders = elements(xml, 'entry')
    .filter((entry) => attribute(entry, 'entry', 'kind') === 'dir')
    .map((entry) => [elementText(entry, 'name') ?? '', attribute(entry, 'commit', 'revision') ?? ''] as const)
  return new Map(folders.filter(([name, revision]) => isName(name) && revision !== ''))
}

/** One that can be asked for by a ref: `branches/<name>@7`. */
const isName = (name: string): boolean => name !== '' && name.length <= 200 && !/[@\p{Cc}]/u.test(name)

/** What `git ls-remote` would say: `refs/heads/trunk`, `refs/heads/winter`, `refs/tags/v1`, with what builds are asked for. */
export function refsOfFolders({
  trunk,
  branches,
  tags,
}: {
  readonly trunk: string
  readonly branches: ReadonlyMap<string, string>
  readonly tags: ReadonlyMap<string, string>
}): Map<string, string> {
  const refs = new Map<string, string>()
  for (const [name, revision] of branches) refs.set(`refs/heads/${name}`, `${svnLayout.branches}/${name}@${revision}`)
  // A branch that is called so is none that could be told from it.
  refs.set('refs/heads/trunk', `${svnLayout.trunk}@${trunk}`)
  for (const [name, revision] of tags) refs.set(`refs/tags/${name}`, `${svnLayout.tags}/${name}@${revision}`)
  return refs
}
