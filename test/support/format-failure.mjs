// How a failed assertion is printed: its name, the place, and the part of the diagnostic that people read.

/** Indents every line of `text` by `width` spaces. */
function indent(text, width) {
  const pad = ' '.repeat(width)
  return String(text)
    .trimEnd()
    .split('\n')
    .map(line => pad + line)
    .join('\n')
}

/** The failure `name` with the readable parts of tap's diagnostic `diag`, as indented text. */
export function formatFailure(name, diag) {
  const lines = [`FAILED  ${name}`]
  if (diag?.at?.fileName) lines.push(`  at ${diag.at.fileName}:${diag.at.lineNumber}:${diag.at.columnNumber}`)
  for (const key of ['diff', 'stack', 'found', 'wanted', 'signal', 'exitCode', 'expired', 'tapError']) {
    const value = diag?.[key]
    if (value === undefined || value === null || value === '') continue
    const text = typeof value === 'string' ? value : JSON.stringify(value)
    lines.push(text.includes('\n') ? `  ${key}:\n${indent(text, 4)}` : `  ${key}: ${text}`)
  }
  return lines.join('\n')
}
