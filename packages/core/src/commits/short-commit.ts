/** For people: twelve digits of git's ids; Subversion's (`r7`, `branches/winter@7`) are short, and would be none without their end. */
export const shortCommit = (commit: string): string => (/^[0-9a-f]{40,64}$/.test(commit) ? commit.slice(0, 12) : commit)
