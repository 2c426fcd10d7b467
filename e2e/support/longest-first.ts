import { relative } from 'node:path'
import { BaseSequencer, type TestSpecification } from 'vitest/node'

/** Few lines that take long: files are else begun by their size, and who begins last holds up the end. */
const long = [
  'release-storm.test.ts',
  'image-arrivals.test.ts',
  'faults/cut-off.test.ts',
  'simulated/simulated.test.ts',
  'network/three-tiers.test.ts',
  'node-upgrade.test.ts',
  'resize.test.ts',
  'advice.test.ts',
  'node-add-many.test.ts',
  'routes.test.ts',
]

export class LongestFirst extends BaseSequencer {
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    const rank = ({ moduleId, project }: TestSpecification): number => {
      const index = long.indexOf(relative(project.config.root, moduleId))
      return index === -1 ? long.length : index
    }
    return (await super.sort(files)).sort((a, b) => rank(a) - rank(b))
  }
}
