import { createClient } from '@berth/api/client'
import { fetchTransport } from '@berth/api/fetch-transport'
import { StrictMode } from 'react'
import { createRoot } from 'react-dom/client'
import { App } from './app.tsx'
import { ConfirmProvider } from './components/confirm.tsx'
import { ErrorBoundary } from './components/error-boundary.tsx'
import { ToastProvider } from './components/toasts.tsx'
import { LanguageProvider, loadLanguage } from './i18n/language.tsx'
import { StoreContext } from './store/context.tsx'
import { Store } from './store/store.ts'
import './styles/tokens.css'
import './styles/base.css'
import './styles/controls.css'
import './styles/shell.css'
import './styles/page.css'
import './styles/table.css'
import './styles/status.css'
import './styles/cards.css'
import './styles/output.css'
import './styles/overlay.css'
import './styles/overview.css'
import './styles/subject.css'
import './styles/forms.css'
import './styles/changes.css'

const store = new Store(createClient(fetchTransport()))
document.addEventListener('visibilitychange', () => (document.hidden ? store.suspend() : store.resume()))

const root = document.getElementById('root')
if (root === null) throw new Error('index.html has no #root')
const start = await loadLanguage()
createRoot(root).render(
  <StrictMode>
    <LanguageProvider start={start}>
      <ErrorBoundary>
        <StoreContext value={store}>
          <ToastProvider>
            <ConfirmProvider>
              <App />
            </ConfirmProvider>
          </ToastProvider>
        </StoreContext>
      </ErrorBoundary>
    </LanguageProvider>
  </StrictMode>,
)
