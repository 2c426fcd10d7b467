import { RegistryFiles } from './registry-files.ts'
import { RegistryProcess } from './registry-process.ts'
import { forgetTrust } from './registry-trust.ts'

/** Ends a registry that this node runs, and what Docker was told of the cluster's. */
export async function removeRegistry(directory: string): Promise<void> {
  const files = new RegistryFiles(directory)
  await new RegistryProcess(files).stop()
  await files.forget({ purge: true })
  await forgetTrust()
}
