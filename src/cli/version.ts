import { readFileSync } from 'node:fs'

/** The version of the package that runs. */
export function ownVersion(): string {
  const own: unknown = JSON.parse(readFileSync(new URL('../../package.json', import.meta.url), 'utf8'))
  return (own as { version: string }).version
}
