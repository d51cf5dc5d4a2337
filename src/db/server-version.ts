/** The first release of each line of PostgreSQL in which row-level security has no known hole. */
const FLOORS: Readonly<Record<number, number>> = { 14: 21, 15: 16, 16: 12, 17: 8, 18: 2 }

/** The environment variable that allows an older server. */
export const ALLOW_OLD = 'TWINRULE_ALLOW_OLD_POSTGRES'

/** What to do about a server that `oldServer` complains about. */
export const UPDATE_SERVER = `update the server, which needs no dump within one line, or set ${ALLOW_OLD}=1 to go on all the same`

/**
 * What is wrong with a server's version, or null. Lines without a floor are either too old to know the SQL that twinrule
 * writes, which `migrate` refuses whatever is allowed, or newer than the holes.
 *
 * @param version the number of `server_version_num`
 * @see https://www.postgresql.org/support/security/
 */
export function oldServer(version: number): string | null {
  const [line, release] = [Math.floor(version / 10_000), version % 10_000]
  const floor = FLOORS[line]
  if (line >= 14 && (floor === undefined || release >= floor)) return null
  const first = floor === undefined ? '14.21' : `${line}.${floor}`
  return `PostgreSQL ${line}.${release} has known holes in row-level security, ${first} is the first release without them`
}
