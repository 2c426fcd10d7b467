import { FitAddon } from '@xterm/addon-fit'
import { Terminal } from '@xterm/xterm'
import '@xterm/xterm/css/xterm.css'
import { type FormEvent, useEffect, useRef, useState } from 'react'
import { Button } from '../components/button.tsx'
import { Mark } from '../components/status.tsx'
import { splitWords } from '../format/words.ts'
import { useText } from '../i18n/language.tsx'
import type { Tone } from '../live/states.ts'
import { ExecSocket } from '../terminal/exec-socket.ts'

type State =
  | { readonly is: 'connecting' | 'connected' }
  | { readonly is: 'ended'; readonly code: number }
  | { readonly is: 'lost'; readonly message: string | undefined }

const tones: Readonly<Record<State['is'], Tone>> = { connecting: 'busy', connected: 'ok', ended: 'off', lost: 'bad' }
const shells = ['sh', 'bash'] as const
/** Anything may be run; the shells are what is run most. */
type CommandLine = string

export default function TerminalPanel({ instance }: { readonly instance: string }) {
  const text = useText()
  const box = useRef<HTMLDivElement>(null)
  const [state, setState] = useState<State>({ is: 'connecting' })
  const [shell, setShell] = useState<CommandLine>('sh')
  const [attempt, setAttempt] = useState(0)
  // biome-ignore lint/correctness/useExhaustiveDependencies: each attempt is a new terminal
  useEffect(() => {
    if (box.current === null) return
    return openTerminal(box.current, instance, shell, setState)
  }, [instance, shell, attempt])
  const over = state.is === 'ended' || state.is === 'lost'
  return (
    <div className="output terminal-panel">
      <div className="output-bar">
        <span className="status" role="status">
          <Mark tone={tones[state.is]} />
          {stateText(text.terminal, state)}
        </span>
        <span className="muted small wide-only-inline">{text.terminal.leave}</span>
        <span className="output-options">
          <CommandField onRun={setShell} />
          {shells.map((each) => (
            <Button key={each} small aria-pressed={shell === each} onClick={() => setShell(each)}>
              {each}
            </Button>
          ))}
          {over && (
            <Button small kind="primary" onClick={() => setAttempt(attempt + 1)}>
              {text.terminal.again}
            </Button>
          )}
        </span>
      </div>
      <section className="terminal" ref={box} aria-label={text.terminal.label} />
    </div>
  )
}

function CommandField({ onRun }: { readonly onRun: (command: CommandLine) => void }) {
  const { terminal: text } = useText()
  const [line, setLine] = useState('')
  const words = splitWords(line)
  const run = (event: FormEvent) => {
    event.preventDefault()
    if (words !== undefined && words.length > 0) onRun(line)
  }
  return (
    <form className="command-field" onSubmit={run}>
      <input
        className="mono"
        aria-label={text.command}
        placeholder={text.otherCommand}
        spellCheck={false}
        autoComplete="off"
        value={line}
        onChange={(event) => setLine(event.target.value)}
      />
    </form>
  )
}

function stateText(text: ReturnType<typeof useText>['terminal'], state: State): string {
  if (state.is === 'ended') return text.ended(state.code)
  if (state.is === 'lost') return state.message === undefined ? text.lost : `${text.lost}: ${state.message}`
  return text[state.is]
}

/** Returns what closes it. */
function openTerminal(box: HTMLElement, instance: string, shell: string, setState: (state: State) => void): () => void {
  const style = getComputedStyle(box)
  const terminal = new Terminal({
    cursorBlink: true,
    fontFamily: style.getPropertyValue('--font-mono'),
    fontSize: 13,
    theme: { background: '#0d1117', foreground: '#d6deeb', cursor: '#7cc4ff', selectionBackground: '#33507a' },
    scrollback: 5_000,
  })
  const fit = new FitAddon()
  terminal.loadAddon(fit)
  terminal.open(box)
  fit.fit()
  terminal.focus()
  setState({ is: 'connecting' })
  const socket = new ExecSocket(
    instance,
    splitWords(shell) ?? [shell],
    { columns: terminal.cols, rows: terminal.rows },
    {
      onOpen: () => setState({ is: 'connected' }),
      onOutput: (bytes) => terminal.write(bytes),
      onExit: (code) => setState({ is: 'ended', code }),
      onLost: (message) => setState({ is: 'lost', message }),
    },
  )
  terminal.onData((data) => socket.type(data))
  terminal.onResize(({ cols, rows }) => socket.resize({ columns: cols, rows }))
  terminal.attachCustomKeyEventHandler((event) => !leaves(event, terminal))
  const observer = new ResizeObserver(() => fit.fit())
  observer.observe(box)
  return () => {
    observer.disconnect()
    socket.close()
    terminal.dispose()
  }
}

/** A terminal takes Tab and Escape for itself, so keyboards need a way out. */
function leaves(event: KeyboardEvent, terminal: Terminal): boolean {
  if (event.key !== 'Escape' || !event.ctrlKey || !event.shiftKey) return false
  if (event.type === 'keydown') {
    terminal.blur()
    document.querySelector<HTMLElement>('.tab[aria-current]')?.focus()
  }
  return true
}
