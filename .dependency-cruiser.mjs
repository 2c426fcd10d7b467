import { createRequire } from 'node:module'

// @swc/core's visitor, which the cruiser walks modules with, does not know `using` and `await using` yet.
const { Visitor } = createRequire(import.meta.url)('@swc/core/Visitor.js')
const visitStatement = Visitor.prototype.visitStatement
Visitor.prototype.visitStatement = function visitStatementOrUsing(statement) {
  if (statement.type !== 'UsingDeclaration') return visitStatement.call(this, statement)
  statement.decls = this.visitVariableDeclarators(statement.decls)
  return statement
}

/** Who may import whom. `docs/design/overview.md` says why. */
const only = (name, from, allowed) => ({
  name,
  severity: 'error',
  comment: `packages/${from} may import ${allowed.length === 0 ? 'nothing' : allowed.join(', ')} of this repository`,
  from: { path: `^packages/${from}/` },
  to: { path: '^packages/', pathNot: [from, ...allowed].map((each) => `^packages/${each}/`) },
})

export default {
  forbidden: [
    only('core-imports-nothing', 'core', []),
    only('api-imports-core', 'api', ['core']),
    only('cli-imports-api-core-and-host', 'cli', ['api', 'core', 'host']),
    only('console-imports-api-and-core', 'console', ['api', 'core']),
    only('server-imports-api-and-core', 'server', ['api', 'core']),
    only('agent-imports-api-and-core', 'agent', ['api', 'core']),
    only('host-imports-core', 'host', ['core']),
    only('lab-imports-api', 'lab', ['api', 'core']),
    {
      name: 'core-is-pure',
      severity: 'error',
      comment: 'core has no dependency: no Node module, no package',
      from: { path: '^packages/core/', pathNot: '\\.(test|testing)\\.ts$' },
      to: { dependencyTypes: ['core', 'npm', 'npm-dev', 'npm-optional', 'npm-peer', 'npm-no-pkg', 'npm-unknown'] },
    },
    {
      name: 'no-cycles',
      severity: 'error',
      comment: 'a cycle hides which of two files is the lower one',
      from: { path: '^packages/' },
      to: { circular: true, viaOnly: { dependencyTypesNot: ['type-only'] } },
    },
    {
      name: 'adapters-are-made-in-main',
      severity: 'error',
      comment: 'controllers and handlers know ports; only main makes adapters',
      from: { path: '^packages/server/src/(controllers|http)/', pathNot: '\\.(test|testing)\\.ts$' },
      to: { path: '^packages/server/src/store/(sqlite|etcd)/' },
    },
    {
      name: 'no-unresolved',
      severity: 'error',
      from: { path: '^packages/' },
      to: { couldNotResolve: true },
    },
  ],
  options: {
    doNotFollow: { path: 'node_modules' },
    // The parser reads no JSX: for the console's .tsx files biome's noRestrictedImports holds the wall.
    exclude: { path: '(^|/)(dist|node_modules)/|\\.tsx$' },
    tsPreCompilationDeps: true,
    enhancedResolveOptions: {
      exportsFields: ['exports'],
      conditionNames: ['import', 'node', 'default'],
      extensions: ['.ts', '.tsx', '.js', '.mjs', '.json'],
    },
    parser: 'swc',
  },
}
