import { ROLES } from '../backends/sql/names.js'

/** Parameters of a connection that are neither a login nor a secret. */
const SHOWN_PARAMETERS = ['host', 'port', 'dbname', 'sslmode', 'sslrootcert']

/**
 * The URL of the same database for the service's own login, with a placeholder for the password.
 *
 * @param url the URL of another login; nothing of that login is in the result
 */
export function serviceUrl(url: string): string {
  const login = `${ROLES.service}:PASSWORD`
  if (!URL.canParse(url)) return `postgres://${login}@HOST/DATABASE`
  const { host, pathname, searchParams } = new URL(url)
  const shown = SHOWN_PARAMETERS.flatMap((name): [string, string][] => {
    const value = searchParams.get(name)
    return value === null ? [] : [[name, value]]
  })
  const query = shown.length === 0 ? '' : `?${new URLSearchParams(shown)}`
  return `postgres://${login}@${host}${pathname}${query}`
}
