import { commandLine, type Draft, type DraftBuild, type DraftEntrypoint, findPort, job } from './draft.ts'
import { existing, findHealthPath, has, type SourceFiles } from './source-files.ts'

export function detectPython(files: SourceFiles): Draft | undefined {
  const manifests = existing(files, 'requirements.txt', 'pyproject.toml')
  const manifest = manifests[0]
  if (manifest === undefined) return undefined
  const wanted = manifests.map((path) => files.read(path)).join('\n')
  const app = pythonApp(files, wanted)
  return {
    found: `${app.title}, from ${manifest}`,
    build: pythonBuild(files, manifest, wanted),
    entrypoints: app.entrypoints,
    ...(app.before === undefined ? {} : { before: app.before }),
  }
}

function pythonBuild(files: SourceFiles, manifest: string, wanted: string): DraftBuild {
  const stated =
    files.read('.python-version') ?? files.read('runtime.txt') ?? /requires-python\s*=\s*"([^"]*)"/.exec(wanted)?.[1]
  const version = /3\.[0-9]{1,2}/.exec(stated ?? '')?.[0] ?? '3.13'
  const base = `python:${version}-slim`
  if (has(files, 'uv.lock')) {
    const run = 'pip install --no-cache-dir uv && uv sync --frozen --no-install-project'
    return { base, dependencies: { files: ['pyproject.toml', 'uv.lock'], run } }
  }
  if (manifest === 'pyproject.toml') return { base, run: ['pip install --no-cache-dir .'] }
  const run = 'pip install --no-cache-dir -r requirements.txt'
  return { base, dependencies: { files: ['requirements.txt'], run } }
}

interface PythonApp {
  readonly title: string
  readonly entrypoints: readonly DraftEntrypoint[]
  readonly before?: readonly string[]
}

function pythonApp(files: SourceFiles, wanted: string): PythonApp {
  const uses = (name: string): boolean => new RegExp(`(^|["'\\s\\[])${name}\\b`, 'im').test(wanted)
  const prefix = has(files, 'uv.lock') ? 'uv run ' : ''
  if (has(files, 'manage.py')) return djangoApp(files, uses('gunicorn'), prefix)
  const file =
    ['main.py', 'app.py', 'server.py', 'wsgi.py', 'app/main.py'].find((path) => has(files, path)) ?? 'main.py'
  const source = files.read(file) ?? ''
  const module = file.replace(/\.py$/, '').replaceAll('/', '.')
  const name = /^(\w+)\s*(?::\s*\w+\s*)?=\s*(?:Flask|FastAPI|Starlette|Quart)\(/m.exec(source)?.[1] ?? 'app'
  const healthPath = findHealthPath(source)
  const web = (command: string): DraftEntrypoint => ({
    name: 'web',
    command: commandLine(`${prefix}${command}`),
    ports: [8000],
    ...(healthPath === undefined ? {} : { healthPath }),
  })
  if (uses('fastapi') || uses('starlette'))
    return { title: 'FastAPI', entrypoints: [web(`uvicorn ${module}:${name} --host 0.0.0.0 --port 8000`)] }
  if (uses('flask')) {
    const command = uses('gunicorn')
      ? `gunicorn ${module}:${name} --bind 0.0.0.0:8000`
      : `flask --app ${module} run --host 0.0.0.0 --port 8000`
    return { title: 'Flask', entrypoints: [web(command)] }
  }
  const port = findPort(source)
  const ports = port === undefined ? {} : { ports: [port] }
  return {
    title: 'Python',
    entrypoints: [
      { name: port === undefined ? 'worker' : 'web', command: commandLine(`${prefix}python ${file}`), ...ports },
    ],
  }
}

function djangoApp(files: SourceFiles, gunicorn: boolean, prefix: string): PythonApp {
  const project = files.list('').find((folder) => has(files, `${folder}/wsgi.py`))
  const command =
    gunicorn && project !== undefined
      ? `gunicorn ${project}.wsgi --bind 0.0.0.0:8000`
      : 'python manage.py runserver 0.0.0.0:8000'
  return {
    title: 'Django',
    entrypoints: [
      { name: 'web', command: commandLine(`${prefix}${command}`), ports: [8000] },
      job('migrate', `${prefix}python manage.py migrate --noinput`, 'Runs to its end before each rollout.'),
    ],
    before: ['migrate'],
  }
}
