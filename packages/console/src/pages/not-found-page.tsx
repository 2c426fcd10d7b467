import { Empty, Page } from '../components/layout.tsx'
import { useText } from '../i18n/language.tsx'
import { Link } from '../router/link.tsx'

interface NotFoundProps {
  readonly title?: string
  readonly hint?: string
}

export function NotFoundPage({ title, hint }: NotFoundProps) {
  const { shell } = useText()
  return (
    <Page title={title ?? shell.notFound}>
      <div className="panel">
        <Empty icon="search" title={hint ?? shell.notFoundHint}>
          <Link to="/apps" className="button button-plain">
            {shell.toApps}
          </Link>
        </Empty>
      </div>
    </Page>
  )
}
