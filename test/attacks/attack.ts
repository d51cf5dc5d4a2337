import type pg from 'pg'
import { contextToken } from '../../src/db/context-token.js'
import { DEMO, TEST_KEY } from '../support/example.js'

/** What an attacker has: the login of applications, free SQL in it, and a valid token of gus, member of globex. */
export interface Field {
  /** A connection of the app role on which nothing was done yet. */
  readonly attacker: pg.Client
  /** Another connection of the app role, of which the attacker may have seen settings. */
  readonly victim: pg.Client
  /** A superuser, who sees what is really there. */
  readonly owner: pg.Client
}

/** One attack. It answers what it got, null when it got nothing. It ends its transactions. */
export interface Attack {
  readonly name: string
  readonly run: (field: Field) => Promise<string | null>
}

/** Rows that gus must never see, and names in them. */
export const SECRET = { id: DEMO.agent(1), name: 'Acme support' } as const
/** What gus may read. */
export const OWN = [DEMO.agent(2), DEMO.agent(3), DEMO.agent(4)]

export const GUS = contextOf(DEMO.gus, DEMO.globex)
export const ADA = contextOf(DEMO.ada, DEMO.acme)
export const IVY = contextOf(DEMO.ivy, DEMO.initech)
export const ROOT = contextOf(DEMO.root, DEMO.platform)

function contextOf(userId: string, tenantId: string) {
  return { userId, tenantId, token: () => contextToken(TEST_KEY, { userId, tenantId }) }
}

/** Somebody who has a token. */
export type Principal = ReturnType<typeof contextOf>

/** Begins a transaction of a principal. */
export async function begin(client: pg.Client, who: Principal): Promise<void> {
  await client.query('BEGIN')
  await client.query('SELECT twinrule.set_tenant_context($1)', [who.token()])
}

/** Runs statements and gives the rows of the last one; an error gives its SQLSTATE in place of rows. */
export async function tries(
  client: pg.Client,
  text: string,
  values: readonly unknown[] = []
): Promise<{
  readonly rows: readonly Record<string, unknown>[]
  readonly count: number
  readonly error: string | null
  readonly message: string
}> {
  try {
    const answer = await client.query(text, values.length > 0 ? [...values] : undefined)
    const results = Array.isArray(answer) ? answer : [answer]
    const rows = results.flatMap(({ rows }) => rows ?? [])
    return { rows, count: results.at(-1)?.rowCount ?? 0, error: null, message: '' }
  } catch (error) {
    const { code, message, detail } = error as { code?: string; message: string; detail?: string }
    return { rows: [], count: 0, error: code ?? 'no SQLSTATE', message: `${message} ${detail ?? ''}` }
  }
}

/** What is in rows that only acme may see, null when nothing is. */
export function leak(rows: readonly Record<string, unknown>[]): string | null {
  const text = JSON.stringify(rows)
  return text.includes(SECRET.id) || text.includes(SECRET.name) ? `it read ${SECRET.id}` : null
}

/** An attack that reads: as gus, after his context was set, unless another start is given. */
export function reads(
  name: string,
  text: string,
  start: (field: Field) => Promise<void> = ({ attacker }) => begin(attacker, GUS)
): Attack {
  return {
    name,
    run: async field => {
      await start(field)
      const first = leak((await tries(field.attacker, text)).rows)
      // what the statement left behind must not show more in the next one, nor outside of the transaction
      const then = leak((await tries(field.attacker, 'SELECT id, name FROM agents')).rows)
      await tries(field.attacker, 'COMMIT')
      const after = leak((await tries(field.attacker, 'SELECT id, name FROM agents')).rows)
      return first ?? then ?? after
    }
  }
}

/** An attack that writes as gus: it must fail or touch no row. `refusal` is the SQLSTATE that is demanded, where one is. */
export function writes(
  name: string,
  text: string,
  { who = GUS, refusal }: { readonly who?: Principal | null; readonly refusal?: string } = {}
): Attack {
  return {
    name,
    run: async ({ attacker }) => {
      if (who === null) await attacker.query('BEGIN')
      else await begin(attacker, who)
      const { count, error } = await tries(attacker, text)
      await attacker.query('ROLLBACK')
      if (error === null) return count > 0 || refusal !== undefined ? `it changed ${count} rows` : null
      return refusal === undefined || refusal === error ? null : `it was refused with ${error}`
    }
  }
}

/** An attack that must end in an error of a class of SQLSTATEs. */
export function refused(
  name: string,
  text: string,
  states: readonly string[],
  who: Principal | null = GUS
): Attack {
  return {
    name,
    run: async ({ attacker }) => {
      if (who === null) await attacker.query('BEGIN')
      else await begin(attacker, who)
      const { rows, error } = await tries(attacker, text)
      await attacker.query('ROLLBACK')
      return error !== null && states.includes(error)
        ? null
        : `${error ?? 'no error'}: ${JSON.stringify(rows).slice(0, 200)}`
    }
  }
}

/** Runs attacks one after the other, each on connections that nobody has used since they were cleaned. */
export async function assault(
  attacks: readonly Attack[],
  field: Field,
  judge: (attack: Attack, got: string | null) => boolean
): Promise<void> {
  const { attacker, victim } = field
  for (const attack of attacks) {
    const got = await attack.run(field).catch(error => `it fails: ${(error as Error).message}`)
    for (const client of [attacker, victim])
      await client.query('ROLLBACK').then(() => client.query('DISCARD ALL'))
    if (!judge(attack, got)) return
  }
}

/** The hidden row comes last in the table, so that what an attack changes on the way to it counts. */
export const SECRET_LAST = `UPDATE agents SET name = name WHERE id = '${SECRET.id}'`
