import type pg from 'pg'

/** The id of the tenant or the user of a number; user n is a member of tenant n. */
export function idOf(kind: 'tenant' | 'user', n: number): string {
  return `0000000${kind === 'tenant' ? 'a' : 'b'}-0000-0000-0000-${String(n).padStart(12, '0')}`
}

/** Gives the example database tenants from 1 to `count`, each with a user and with as many agents as its number says. */
export async function addTenants(owner: pg.Client, count: number): Promise<void> {
  for (let n = 1; n <= count; n++) {
    const [tenant, user] = [idOf('tenant', n), idOf('user', n)]
    await owner.query(
      `INSERT INTO tenants (id, name, slug, type, status) VALUES ($1, $2, $2, 'client', 'active')`,
      [tenant, `tenant-${n}`]
    )
    await owner.query(
      `INSERT INTO user_tenants (user_id, tenant_id, role, status) VALUES ($1, $2, 'member', 'active')`,
      [user, tenant]
    )
    await owner.query('INSERT INTO agents (tenant_id, name) SELECT $1, $2 FROM generate_series(1, $3)', [
      tenant,
      `of ${n}`,
      n
    ])
  }
}
