import { relative } from 'node:path'
import { BaseSequencer, type TestSpecification } from 'vitest/node'

/** From two minutes and more to three quarters of one. Who begins last holds up the end; the others are begun by their size. */
const long = [
  'further-blocks.test.ts',
  'routed-network.test.ts',
  'machine-networks.test.ts',
  'release-storm.test.ts',
  'network/routed.test.ts',
  'names.test.ts',
  'image-arrivals.test.ts',
  'node-add.test.ts',
  'many-servers.test.ts',
  'second-host.test.ts',
  'cloud-routes.test.ts',
  'network/routed-ipv6.test.ts',
  'simulated/simulated.test.ts',
  'network/profiles.test.ts',
  'rescheduling.test.ts',
  'network/three-tiers.test.ts',
  'images.test.ts',
  'release-stages.test.ts',
  'agent.test.ts',
  'faults/cut-off.test.ts',
  'bad-days.test.ts',
  'node-upgrade.test.ts',
  'bad-input.test.ts',
  'first-app.test.ts',
  'node-config.test.ts',
  'registry.test.ts',
  'advice.test.ts',
  'placing.test.ts',
  'node-add-many.test.ts',
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
