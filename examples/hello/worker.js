import { setTimeout as sleep } from 'node:timers/promises'
import { about, onStop, say } from './about.js'

const stop = new AbortController()
onStop((signal) => {
  say(`${signal}: the last tick was the last`)
  stop.abort()
})

const { WEB_HOST: host = 'localhost', WEB_PORT: port = '8080' } = process.env
say(`${about.instance} asks ${host}:${port} every five seconds`)

/** Which instance of web answers; the name stands for all that are ready. */
async function ask() {
  const response = await fetch(`http://${host}:${port}/whoami`, { signal: AbortSignal.timeout(2000) })
  const { name, release, requests } = await response.json()
  return `${name} of ${release} answered, its request number ${requests}`
}

for (let tick = 1; !stop.signal.aborted; tick += 1) {
  const outcome = await ask().catch((error) => `web did not answer: ${error.cause?.code ?? error.message}`)
  say(`tick ${tick}: ${outcome}`)
  await sleep(5000, undefined, { signal: stop.signal }).catch(() => {})
}
