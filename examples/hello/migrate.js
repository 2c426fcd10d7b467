import { about, say } from './about.js'

// A real one would bring the database's schema up to date. It runs once before each rollout; if it fails, nothing is replaced.
say(`${about.instance}: migrating for ${about.release}`)
for (const step of ['connect', 'read version', 'apply nothing', 'write version']) say(`  ${step}: ok`)
say('the schema is up to date')
