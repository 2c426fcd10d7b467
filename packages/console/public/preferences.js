// Runs before the first paint, so that a chosen theme or language does not flash. A file of its own: inline scripts are forbidden.
try {
  const theme = localStorage.getItem('berth.theme')
  if (theme === 'light' || theme === 'dark') document.documentElement.dataset.theme = theme
  if (localStorage.getItem('berth.language') === 'zh') document.documentElement.lang = 'zh-CN'
} catch {
  // Storage is forbidden: the system's preference holds.
}
