import type { Command } from 'commander'

/** Of commands that take an app from a repository. */
export const sourceOptions = (command: Command): Command =>
  command
    .argument('[app]', 'APP or APP@ENVIRONMENT; left out: the app of the berth.yaml here')
    .option('-e, --environment <name>', 'environment to deploy to', undefined)
    .option('-r, --ref <ref>', 'branch, tag or commit (default: HEAD)')
    .option('--repository <url>', 'URL or path of the repository (default: the work tree here)')
    .option('--svn', 'the repository is a Subversion one')
