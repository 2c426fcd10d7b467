import type { MatrixCellView } from '@berth/api/net-resources'

/** A shape for each, so that nothing depends on seeing colours. */
export function VerdictMark({ verdict }: { readonly verdict: MatrixCellView['verdict'] }) {
  return (
    <svg className={`verdict verdict-${verdict}`} viewBox="0 0 16 16" width="16" height="16" aria-hidden="true">
      {verdict === 'all' && <circle cx="8" cy="8" r="5" fill="currentColor" />}
      {verdict === 'some' && (
        <>
          <circle cx="8" cy="8" r="4.500" fill="none" stroke="currentColor" />
          <path d="M8 3.500a4.500 4.500 0 0 0 0 9z" fill="currentColor" />
        </>
      )}
      {verdict === 'none' && <path d="M4.500 4.500l7 7M11.500 4.500l-7 7" stroke="currentColor" fill="none" />}
    </svg>
  )
}
