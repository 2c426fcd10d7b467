import { commandLine, type Draft, findPort, job } from './draft.ts'
import { existing, findHealthPath, has, type SourceFiles } from './source-files.ts'

export function detectGo(files: SourceFiles): Draft | undefined {
  const module = files.read('go.mod')
  if (module === undefined) return undefined
  const commands = files.list('cmd').filter((name) => has(files, `cmd/${name}/main.go`))
  const folder = has(files, 'main.go') || commands[0] === undefined ? '.' : `./cmd/${commands[0]}`
  const source = files.read(folder === '.' ? 'main.go' : `cmd/${commands[0]}/main.go`) ?? ''
  const healthPath = findHealthPath(source)
  const port = findPort(source) ?? Number(/["'`]:([0-9]{2,5})["'`]/.exec(source)?.[1] ?? 8080)
  return {
    found: 'Go, from go.mod',
    name: /^module\s+(?:\S+\/)?([^\s/]+)$/m.exec(module)?.[1] ?? '',
    build: {
      base: `golang:${/^go\s+([0-9]+\.[0-9]+)/m.exec(module)?.[1] ?? '1.25'}`,
      dependencies: { files: existing(files, 'go.mod', 'go.sum'), run: 'go mod download' },
      run: [`go build -o /usr/local/bin/server ${folder}`],
    },
    entrypoints: [
      {
        name: 'web',
        command: ['/usr/local/bin/server'],
        ports: [port],
        ...(healthPath === undefined ? {} : { healthPath }),
      },
    ],
  }
}

export function detectMaven(files: SourceFiles): Draft | undefined {
  const pom = files.read('pom.xml')
  if (pom === undefined) return undefined
  const stated = /<(?:java\.version|maven\.compiler\.(?:release|source))>\s*([0-9]{1,2})\s*</.exec(pom)?.[1]
  return {
    found: `${pom.includes('spring-boot') ? 'Spring Boot' : 'Java'}, from pom.xml`,
    name: /<artifactId>\s*([^<\s]+)\s*<\/artifactId>/.exec(pom.replace(/<parent>[\s\S]*?<\/parent>/, ''))?.[1] ?? '',
    build: {
      base: `maven:3-eclipse-temurin-${stated ?? '21'}`,
      dependencies: { files: ['pom.xml'], run: 'mvn --batch-mode --quiet dependency:go-offline' },
      run: ['mvn --batch-mode --quiet package -DskipTests'],
    },
    entrypoints: [
      {
        name: 'web',
        command: ['sh', '-c', 'exec java -jar target/*.jar'],
        ports: [8080],
        ...(pom.includes('spring-boot-starter-actuator') ? { healthPath: '/actuator/health' } : {}),
      },
    ],
  }
}

export function detectRuby(files: SourceFiles): Draft | undefined {
  const gemfile = files.read('Gemfile')
  if (gemfile === undefined) return undefined
  const stated = files.read('.ruby-version') ?? /^ruby\s+["'](.*?)["']/m.exec(gemfile)?.[1] ?? ''
  const rails = /^\s*gem\s+["']rails["']/m.test(gemfile)
  const web = rails
    ? 'bundle exec rails server --binding 0.0.0.0 --port 3000'
    : 'bundle exec rackup --host 0.0.0.0 --port 3000'
  const migrate = job('migrate', 'bundle exec rails db:migrate', 'Runs to its end before each rollout.')
  return {
    found: `${rails ? 'Rails' : 'Ruby'}, from Gemfile`,
    build: {
      base: `ruby:${/[0-9]+\.[0-9]+/.exec(stated)?.[0] ?? '3.4'}`,
      dependencies: { files: existing(files, 'Gemfile', 'Gemfile.lock'), run: 'bundle install' },
    },
    entrypoints: [
      { name: 'web', command: commandLine(web), ports: [3000], ...(rails ? { healthPath: '/up' } : {}) },
      ...(rails ? [migrate] : []),
    ],
    ...(rails ? { before: ['migrate'] } : {}),
  }
}

export function detectStatic(files: SourceFiles): Draft | undefined {
  const page = existing(files, 'index.html', 'public/index.html', 'dist/index.html')[0]
  if (page === undefined) return undefined
  const folder = page === 'index.html' ? '/app' : `/app/${page.split('/')[0]}`
  return {
    found: `static pages, from ${page}`,
    build: { base: 'busybox:1.37' },
    entrypoints: [{ name: 'web', command: ['busybox', 'httpd', '-f', '-p', '8080', '-h', folder], ports: [8080] }],
  }
}
