import { type Fragment, id, lit, qualified, sql } from './fragment.js'
import { ROLES, SCHEMA } from './names.js'
import type { SqlObject } from './object.js'

/** The SQLSTATE of everything that is wrong with a context. Class AZ is no class of PostgreSQL's. */
export const CONTEXT_SQLSTATE = 'AZ001'

/** Ends a function because something is wrong with the context. */
export function raiseContext(message: string, hint: string): Fragment {
  return sql`RAISE EXCEPTION USING ERRCODE = ${lit(CONTEXT_SQLSTATE)}, MESSAGE = ${lit(message)}, HINT = ${lit(hint)};`
}

/** The table of keys. */
export const KEYS = qualified('twinrule.context_keys')

/**
 * HMAC-SHA256 in hex (RFC 2104) of a text, made with the key in the row `k` of the table of keys. The key is kept as
 * its two padded halves, so a verification is two hashes and no byte loop.
 */
export function macOf(text: Fragment): Fragment {
  return sql`encode(sha256(k.key_out || sha256(k.key_in || convert_to(${text}, 'UTF8'))), 'hex')`
}

/** Microseconds since 1970 of a time, as text that no setting of the session changes. */
const micros = (time: Fragment): Fragment => sql`(extract(epoch FROM ${time}) * 1000000)::bigint`

/** When the client's message arrived that is being executed. */
export const MESSAGE_TIME = sql`${micros(sql`statement_timestamp()`)}::text`

/**
 * What a seal is made over: the words given, and this very transaction of this very backend. So a copy of it is worth
 * nothing in another session and in another transaction of the same one.
 */
export function sealed(...words: readonly [Fragment, Fragment, Fragment, Fragment]): Fragment {
  const [kind, user, tenant, more] = words
  return sql`concat_ws('|', ${kind}, ${user}, ${tenant}, ${more}, pg_backend_pid(), ${micros(sql`transaction_timestamp()`)})`
}

/** The keys, which nobody reads but the functions that check tokens. */
export function keyObjects(): readonly SqlObject[] {
  return [
    {
      kind: 'state',
      name: 'context keys',
      table: null,
      up: sql`CREATE TABLE IF NOT EXISTS ${KEYS} (
  kid text PRIMARY KEY CHECK (kid ~ '^[A-Za-z0-9_-]{1,32}$'),
  -- token: made and known by clients. seal: made here and known to nobody, for contexts that were checked
  purpose text NOT NULL CHECK (purpose IN ('token', 'seal')),
  key_in bytea NOT NULL CHECK (length(key_in) = 64),
  key_out bytea NOT NULL CHECK (length(key_out) = 64),
  created_at timestamp with time zone NOT NULL DEFAULT now(),
  retired_at timestamp with time zone
);
CREATE UNIQUE INDEX IF NOT EXISTS twinrule_one_seal ON ${KEYS} (purpose) WHERE purpose = 'seal';
-- safety: whoever reads a key can make a context for anybody
REVOKE ALL ON ${KEYS} FROM PUBLIC;
GRANT SELECT ON ${KEYS} TO ${id(ROLES.context)};
INSERT INTO ${KEYS} AS k (kid, purpose, key_in, key_out)
SELECT 'seal', 'seal', ${random(1)} || ${random(2)}, ${random(3)} || ${random(4)}
WHERE NOT EXISTS (SELECT FROM ${KEYS} WHERE purpose = 'seal');`,
      down: sql`DROP TABLE IF EXISTS ${id(SCHEMA)}.context_keys;`
    }
  ]
}

/** 32 random bytes: two version 4 uuids have 244 random bits between them (manual, gen_random_uuid). */
function random(n: number): Fragment {
  return sql`sha256(convert_to(concat(${lit(n)}, gen_random_uuid(), gen_random_uuid()), 'UTF8'))`
}
