type Preference = 'theme' | 'language'

/** Kept in this browser only. Where storage is forbidden, the defaults hold. */
export function readPreference(name: Preference): string | undefined {
  try {
    return localStorage.getItem(`berth.${name}`) ?? undefined
  } catch {
    return undefined
  }
}

export function writePreference(name: Preference, value: string | undefined): void {
  try {
    if (value === undefined) localStorage.removeItem(`berth.${name}`)
    else localStorage.setItem(`berth.${name}`, value)
  } catch {
    // Nothing to do: the choice holds until the page is left.
  }
}
