import type pg from 'pg'

/** How many tenants there are; the n-th has about 1/n of the rows of the first. */
export const TENANTS = 1000

/** The tenants that are asked for: one with a seventh of all rows, one with a thousandth, one with hardly any. */
export const ASKED = { big: 1, middle: 100, small: 1000 } as const
/** One of them. */
export type Asked = keyof typeof ASKED

/** How many tenants may read the rows that many may. */
export const WIDTHS = [1, 100, 10_000] as const

/** The policy that is measured: own rows, 1% that everybody may read, 5% that 1 to 50 tenants may read. */
export const policy = (context: 'plain' | 'signed'): string => `version: 1
context: ${context}
enums: { mode: [private, global, selective] }
principal: { id: uuid, tenant_id: uuid }
macros: { mine: resource.tenant_id == principal.tenant_id }
resources:
  note:
    table: notes
    columns:
      { id: uuid!, tenant_id: uuid!, created_at: timestamptz!, mode: mode!, shared_with: set<uuid>!, title: text! }
    rules:
      owner: { allow: [read, create, update, delete], when: mine }
      global: { allow: [read], when: resource.mode == "global" }
      selective: { allow: [read], when: 'resource.mode == "selective" && principal.tenant_id in resource.shared_with' }
  comment:
    table: comments
    columns: { id: uuid!, tenant_id: uuid!, note_id: uuid!, created_at: timestamptz! }
    rules:
      owner: { allow: [read, create, update, delete], when: mine }
  paper:
    table: papers
    relations:
      shares: { many: paper_shares, remote: paper_id, columns: { tenant_id: uuid! } }
    columns: { id: uuid!, tenant_id: uuid!, created_at: timestamptz! }
    rules:
      owner: { allow: [read, create, update, delete], when: mine }
      shared: { allow: [read], when: 'resource.shares.exists(s, s.tenant_id == principal.tenant_id)' }
`

/** The uuid of a tenant and of its only user. */
export const tenantId = (n: number): string => `00000000-0000-4000-8000-${String(n).padStart(12, '0')}`
/** The uuid of the user of a tenant. */
export const userId = (n: number): string => `00000000-0000-4000-9000-${String(n).padStart(12, '0')}`

const TABLES = `
CREATE TABLE notes (
  id uuid NOT NULL, tenant_id uuid NOT NULL, created_at timestamptz NOT NULL,
  mode text NOT NULL CHECK (mode IN ('private', 'global', 'selective')),
  shared_with uuid[] NOT NULL, title text NOT NULL
);
CREATE TABLE comments (id uuid NOT NULL, tenant_id uuid NOT NULL, note_id uuid NOT NULL, created_at timestamptz NOT NULL);
CREATE TABLE papers (id uuid NOT NULL, tenant_id uuid NOT NULL, created_at timestamptz NOT NULL);
CREATE TABLE paper_shares (paper_id uuid NOT NULL, tenant_id uuid NOT NULL);
CREATE FUNCTION bench_tenant(n integer) RETURNS uuid LANGUAGE sql IMMUTABLE
  RETURN ('00000000-0000-4000-8000-' || lpad(n::text, 12, '0'))::uuid;`

const ROWS = `
SELECT setseed(0.42);
INSERT INTO notes
SELECT md5('note' || n)::uuid, bench_tenant(floor((${TENANTS} + 1) ^ random())::integer),
  '2020-01-01Z'::timestamptz + random() * interval '1000 days',
  CASE WHEN r < 0.01 THEN 'global' WHEN r < 0.06 THEN 'selective' ELSE 'private' END,
  CASE WHEN r BETWEEN 0.01 AND 0.06 THEN ARRAY(
    SELECT bench_tenant(1 + floor(random() * ${TENANTS})::integer)
    FROM generate_series(1, 1 + floor(random() * 50 + n * 0)::integer)
  ) ELSE '{}' END, 'note ' || n
FROM (SELECT n, random() AS r FROM generate_series(1, $ROWS) AS n) AS s;
INSERT INTO comments
SELECT md5('comment' || id)::uuid, tenant_id, id, created_at FROM notes;
INSERT INTO papers SELECT id, tenant_id, created_at FROM notes;
INSERT INTO paper_shares
SELECT DISTINCT id, one FROM notes, unnest(shared_with) AS one;
-- rows that many tenants may read, by an array and by a table, one of whom is asked for
INSERT INTO notes
SELECT md5('wide' || n)::uuid, bench_tenant(1), '2024-01-01Z', 'selective',
  ARRAY(SELECT md5('receiver' || m)::uuid FROM generate_series(2, n) AS m) || bench_tenant(${ASKED.middle}), 'wide ' || n
FROM unnest(ARRAY[${WIDTHS.join()}]) AS n;
INSERT INTO papers SELECT md5('wide' || n)::uuid, bench_tenant(1), '2024-01-01Z' FROM unnest(ARRAY[${WIDTHS.join()}]) AS n;
INSERT INTO paper_shares SELECT id, one FROM notes, unnest(shared_with) AS one WHERE title LIKE 'wide %';`

/** The indexes that serve the arms of a list in its order, beside those that twinrule makes by itself. */
const INDEXES = `
ALTER TABLE notes ADD PRIMARY KEY (id);
ALTER TABLE comments ADD PRIMARY KEY (id);
ALTER TABLE papers ADD PRIMARY KEY (id);
ALTER TABLE paper_shares ADD PRIMARY KEY (paper_id, tenant_id);
CREATE INDEX ON notes (tenant_id, created_at, id);
CREATE INDEX ON notes (mode, created_at, id);
CREATE INDEX ON notes USING gin (shared_with) WITH (fastupdate = off);
CREATE INDEX ON comments (tenant_id, created_at, id);
CREATE INDEX ON comments (note_id);
CREATE INDEX ON papers (tenant_id, created_at, id);
CREATE INDEX ON paper_shares (tenant_id, paper_id);`

/** Makes the tables and fills them; the same rows each time. */
export async function load(admin: pg.ClientBase, rows: number): Promise<void> {
  await admin.query(TABLES)
  await admin.query(ROWS.replace('$ROWS', String(rows)))
  await admin.query(INDEXES)
  await admin.query('VACUUM (ANALYZE)')
}

/** The tenants and a member of each of those that are asked for. */
export async function people(admin: pg.ClientBase): Promise<void> {
  await admin.query(
    `INSERT INTO tenants (id, name, slug, type, status)
     SELECT bench_tenant(n), 'tenant ' || n, 'tenant-' || n, 'client', 'active' FROM generate_series(1, ${TENANTS}) AS n ON CONFLICT DO NOTHING`
  )
  for (const n of Object.values(ASKED)) {
    await admin.query(
      `INSERT INTO user_tenants (user_id, tenant_id, role, status, is_default) VALUES ($1, $2, 'owner', 'active', true) ON CONFLICT DO NOTHING`,
      [userId(n), tenantId(n)]
    )
  }
}
