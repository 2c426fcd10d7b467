import { randomUUID } from 'node:crypto'
import { chmodSync, closeSync, fsyncSync, mkdirSync, openSync, statSync } from 'node:fs'
import { dirname } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { storeError } from '../store-error.ts'
import type { OpenRequest } from './protocol.ts'
import { corruptError, fromSqlite } from './sqlite-error.ts'

/** "Brth": tells our files from other people's SQLite databases. */
const applicationId = 0x42727468
const schemaVersion = 1

/**
 * `changes` is the log: one row per key and revision, a deletion being a row without value, in the order of revisions (`id`).
 * Each row points to the key's `previous` one. `keys` points to the newest row of every key, deleted ones too until the
 * deletion is compacted. So a write appends two places and touches one, an old state is found by walking back from `keys`,
 * and compaction follows the log and drops each row's `previous`.
 */
const schema = `
  CREATE TABLE meta (name TEXT PRIMARY KEY, value ANY NOT NULL) WITHOUT ROWID, STRICT;
  CREATE TABLE changes (
    id INTEGER PRIMARY KEY,
    revision INTEGER NOT NULL,
    key TEXT NOT NULL,
    value TEXT,
    createRevision INTEGER NOT NULL,
    version INTEGER NOT NULL,
    lease TEXT,
    previous INTEGER
  ) STRICT;
  CREATE INDEX changes_by_revision ON changes (revision);
  CREATE TABLE keys (key TEXT PRIMARY KEY, change INTEGER NOT NULL, lease TEXT) WITHOUT ROWID, STRICT;
  CREATE INDEX keys_by_lease ON keys (lease) WHERE lease IS NOT NULL;
  CREATE TABLE leases (id TEXT PRIMARY KEY, ttlMs INTEGER NOT NULL) WITHOUT ROWID, STRICT;
`

/** Opens or creates the file, ours alone (an exclusive lock for as long as it is open), checked and ready. */
export function openDatabase({ path, lockWaitMs }: OpenRequest): DatabaseSync {
  let database: DatabaseSync | undefined
  try {
    createFile(path)
    database = new DatabaseSync(path, { timeout: lockWaitMs })
    configure(database)
    if (isNew(database, path)) create(database)
    else check(database, path)
    return database
  } catch (error) {
    database?.close()
    throw fromSqlite(error, 'open the store', path)
  }
}

/**
 * Makes the file with mode 0600 before SQLite would with another one (its journal takes the mode over). An existing file is
 * never opened here: closing it would drop the locks that this process may hold on it.
 */
function createFile(path: string): void {
  mkdirSync(dirname(path), { recursive: true, mode: 0o700 })
  if (sizeOf(path) === 0 && sizeOf(`${path}-wal`) > 0)
    throw corruptError(path, 'the file is empty or gone, but its journal is still there')
  try {
    closeSync(openSync(path, 'wx', 0o600))
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error
    chmodSync(path, 0o600)
    return
  }
  const directory = openSync(dirname(path), 'r')
  try {
    fsyncSync(directory)
  } finally {
    closeSync(directory)
  }
}

const sizeOf = (path: string): number => statSync(path, { throwIfNoEntry: false })?.size ?? 0

/**
 * Exclusive mode before the journal's first use: no shared memory file (whose growth could fail on a full disk as an I/O
 * error), and a second process is refused from here on. Every commit is on the disk when it returns (FULL).
 */
function configure(database: DatabaseSync): void {
  database.exec('PRAGMA locking_mode = EXCLUSIVE')
  database.exec('PRAGMA journal_mode = WAL')
  database.exec('PRAGMA synchronous = FULL')
  database.exec('PRAGMA journal_size_limit = 67108864')
  database.exec('PRAGMA cache_size = -16384')
  database.exec('PRAGMA temp_store = MEMORY')
  database.exec('PRAGMA cell_size_check = ON')
  database.exec('PRAGMA trusted_schema = OFF')
  database.exec('BEGIN IMMEDIATE')
  database.exec('COMMIT')
}

function isNew(database: DatabaseSync, path: string): boolean {
  const id = pragma(database, 'application_id')
  if (id === applicationId) return false
  const tables = database.prepare('SELECT count(*) AS count FROM sqlite_schema').get()?.count
  if (id !== 0 || tables !== 0)
    throw storeError('store.failed', `open the store: ${path} is a database of another program; name another file`)
  return true
}

/** One transaction: after a crash in the middle the file counts as new. */
function create(database: DatabaseSync): void {
  database.exec('BEGIN IMMEDIATE')
  database.exec(schema)
  const set = database.prepare('INSERT INTO meta (name, value) VALUES (?, ?)')
  set.run('epoch', randomUUID())
  set.run('compacted', 1)
  set.run('pruned', 1)
  database.exec(`PRAGMA application_id = ${applicationId}`)
  database.exec(`PRAGMA user_version = ${schemaVersion}`)
  database.exec('COMMIT')
}

function check(database: DatabaseSync, path: string): void {
  const version = pragma(database, 'user_version')
  if (version > schemaVersion)
    throw storeError(
      'store.newer',
      `open the store: ${path} was written by a newer Berth (format ${version}, this one knows ${schemaVersion}); start that version, or restore a backup made by this one`,
      { details: { version, schemaVersion } },
    )
  const findings = database.prepare('PRAGMA quick_check(3)').all()
  const first = String(findings[0]?.quick_check)
  if (first !== 'ok') throw corruptError(path, first)
}

const pragma = (database: DatabaseSync, name: string): number =>
  Number(database.prepare(`PRAGMA ${name}`).get()?.[name])
