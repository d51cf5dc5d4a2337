import type { Bundle, ContextMode } from '../../ir/model.js'
import { entryFunctions, entryObjects } from './entries.js'
import { type Fragment, lit, qualified, sql } from './fragment.js'
import type { FunctionSpec } from './function.js'
import { looksLikeUuid, membership, membershipOf, principalFunctions, setting } from './membership.js'
import { ROLES, SETTINGS } from './names.js'
import type { SqlObject } from './object.js'
import { appRoles } from './roles.js'
import { KEYS, keyObjects, MESSAGE_TIME, macOf, raiseContext, sealed } from './seal.js'

/** How long a token may be valid, seconds. */
export const MAX_TOKEN_SECONDS = 120

/** The tables that contexts need. */
export function contextObjects(bundle: Bundle): readonly SqlObject[] {
  return [...(bundle.context === 'signed' ? keyObjects() : []), ...entryObjects()]
}

/**
 * The tenant context of a transaction: settings that end with it, taken for what they say only as far as they are
 * verified. Whoever runs SQL can set them to anything; signed ones carry a seal that only these functions can make.
 */
export function contextFunctions(bundle: Bundle): readonly FunctionSpec[] {
  const callers = appRoles(bundle)
  const signed = bundle.context === 'signed'
  return [
    membership(),
    verifiedContext(bundle.context),
    ...principalFunctions(bundle),
    ...(signed ? [setSigned(callers), refusePlain(callers)] : [setPlain(callers)]),
    clearContext(callers),
    ...entryFunctions(bundle)
  ]
}

const USER = setting(SETTINGS.user)
const TENANT = setting(SETTINGS.tenant)

/** Whether the settings are those that `set_tenant_context` left in this transaction. */
function verifiedContext(mode: ContextMode): FunctionSpec {
  return {
    name: 'verified_context',
    parameters: [],
    returns: sql`boolean`,
    volatility: 'STABLE',
    parallel: 'RESTRICTED',
    security: 'DEFINER',
    owner: ROLES.context,
    callers: [],
    body: mode === 'signed' ? SEALED_CONTEXT : PLAIN_CONTEXT
  }
}

const PLAIN_CONTEXT = sql`BEGIN
  RETURN COALESCE(${looksLikeUuid(USER)} AND ${looksLikeUuid(TENANT)}, false);
END`

const SEALED_CONTEXT = sql`DECLARE
  held constant text := ${setting(SETTINGS.seal)};
  begun constant text := split_part(held, '.', 1);
BEGIN
  -- a setting is null before its first use and empty after the transaction: both mean that there is no context
  IF held IS NULL OR held = '' THEN
    RETURN false;
  END IF;
  -- safety: the settings can be set by whoever runs SQL, the seal can be made by nobody else
  IF held IS DISTINCT FROM (
    SELECT ${seal(sql`begun`, USER, TENANT)} FROM ${KEYS} AS k WHERE k.purpose = 'seal'
  ) THEN
    RETURN false;
  END IF;
  -- safety: a statement that begins a context could be half one principal's and half another's
  IF begun = ${MESSAGE_TIME} THEN
    ${raiseContext(
      'the context was set by the very message that uses it',
      'send twinrule.set_tenant_context() as a statement of its own, before the query'
    )}
  END IF;
  RETURN true;
END`

/** When the context began, and the seal over that and over whom it is for. */
function seal(begun: Fragment, user: Fragment, tenant: Fragment): Fragment {
  return sql`${begun} || '.' || ${macOf(sealed(sql`'context'`, user, tenant, begun))}`
}

/** Whether a text has the form of a token. The lengths are counted apart, because patterns that count are slow. */
const IS_TOKEN = sql`$1 ~ '^v1\\.[A-Za-z0-9_-]+\\.[0-9a-f-]+\\.[0-9a-f-]+\\.[0-9]+\\.[0-9a-f]+$' AND length(part[2]) <= 32
    AND ${looksLikeUuid(sql`part[3]`)} AND ${looksLikeUuid(sql`part[4]`)}
    AND length(part[5]) <= 12 AND length(part[6]) = 64`

/** safety: a cursor WITH HOLD keeps the rows of whoever declared it, for the next user of a pooled connection. */
const NO_LEFTOVER = sql`IF EXISTS (SELECT FROM pg_catalog.pg_cursors WHERE is_holdable) THEN
    ${raiseContext(
      'a cursor WITH HOLD is open on this connection, with rows of an earlier transaction',
      'CLOSE ALL or DISCARD ALL before a connection goes back to its pool'
    )}
  END IF;`

const ONE_PRINCIPAL = raiseContext(
  'this transaction belongs to another user or tenant already',
  'end it with COMMIT or ROLLBACK, and begin another one'
)

const MEMBER_OF_TOKEN = membershipOf(sql`part[4]::uuid`, sql`part[3]::uuid`)

function setSigned(callers: readonly string[]): FunctionSpec {
  return {
    name: 'set_tenant_context',
    parameters: [{ name: 'token', type: sql`text` }],
    returns: sql`boolean`,
    volatility: 'VOLATILE',
    security: 'DEFINER',
    owner: ROLES.context,
    callers,
    body: sql`DECLARE
  part constant text[] := string_to_array($1, '.');
  clock constant numeric := extract(epoch FROM clock_timestamp());
  begun constant text := ${MESSAGE_TIME};
BEGIN
  IF (${IS_TOKEN}) IS NOT TRUE THEN
    ${raiseContext('the context token is malformed', 'a token is v1.<kid>.<tenant>.<user>.<expiry>.<signature>, made with a key of `twinrule keys add`')}
  END IF;
  -- safety: a key that is unknown and a signature that is wrong answer alike
  IF part[6] IS DISTINCT FROM (
    SELECT ${macOf(sql`left($1, length($1) - 65)`)} FROM ${KEYS} AS k
    WHERE k.kid = part[2] AND k.purpose = 'token' AND k.retired_at IS NULL
  ) THEN
    ${raiseContext('the context token is not signed with a key of this database', '`twinrule keys list` shows the keys that count')}
  END IF;
  IF part[5]::bigint <= clock THEN
    ${raiseContext('the context token has expired', 'make a token for each transaction; compare the clocks of client and server')}
  ELSIF part[5]::bigint > clock + ${lit(MAX_TOKEN_SECONDS)} THEN
    ${raiseContext('the context token is valid for too long', `at most ${MAX_TOKEN_SECONDS} seconds; compare the clocks of client and server`)}
  END IF;
  ${NO_LEFTOVER}
  IF ${VERIFIED} THEN
    IF (${TENANT}, ${USER}) IS DISTINCT FROM (part[3], part[4]) THEN
      ${ONE_PRINCIPAL}
    END IF;
    RETURN EXISTS (${MEMBER_OF_TOKEN});
  END IF;
  IF NOT EXISTS (${MEMBER_OF_TOKEN}) THEN
    RETURN false;
  END IF;
  -- safety: transaction-local, so the next user of a pooled connection starts without a tenant
  PERFORM set_config(${lit(SETTINGS.tenant)}, part[3], true), set_config(${lit(SETTINGS.user)}, part[4], true),
    set_config(${lit(SETTINGS.seal)}, ${seal(sql`begun`, sql`part[4]`, sql`part[3]`)}, true)
  FROM ${KEYS} AS k WHERE k.purpose = 'seal';
  -- where the clock is coarse, the next message must not seem to be this one
  WHILE clock_timestamp() <= statement_timestamp() LOOP
    NULL;
  END LOOP;
  RETURN true;
END`
  }
}

const VERIFIED = sql`${qualified('twinrule.verified_context')}()`

const BY_NAME: FunctionSpec['parameters'] = [
  { name: 'user_id', type: sql`uuid` },
  { name: 'tenant_id', type: sql`uuid` }
]

function setPlain(callers: readonly string[]): FunctionSpec {
  return {
    name: 'set_tenant_context',
    parameters: BY_NAME,
    returns: sql`boolean`,
    volatility: 'VOLATILE',
    security: 'DEFINER',
    owner: ROLES.context,
    callers,
    body: sql`BEGIN
  ${NO_LEFTOVER}
  IF ${VERIFIED} AND (${USER}::uuid, ${TENANT}::uuid) IS DISTINCT FROM ($1, $2) THEN
    ${ONE_PRINCIPAL}
  END IF;
  -- whether the user is an active member of the active tenant; if not, every query sees nothing
  IF NOT EXISTS (${membershipOf(sql`$1`, sql`$2`)}) THEN
    RETURN false;
  END IF;
  -- safety: transaction-local, so the next user of a pooled connection starts without a tenant
  PERFORM set_config(${lit(SETTINGS.user)}, $1::text, true), set_config(${lit(SETTINGS.tenant)}, $2::text, true);
  RETURN true;
END`
  }
}

/** The form of unsigned contexts, for people who come from one: it says what to do instead. */
function refusePlain(callers: readonly string[]): FunctionSpec {
  return {
    ...setPlain(callers),
    security: 'INVOKER',
    body: sql`BEGIN
  ${raiseContext(
    'contexts are signed here: a user and a tenant are not taken at their word',
    'pass one token, made with a key of `twinrule keys add`; or say `context: plain` in the policy'
  )}
END`
  }
}

function clearContext(callers: readonly string[]): FunctionSpec {
  const cleared = Object.values(SETTINGS).map(name => sql`  PERFORM set_config(${lit(name)}, '', true);\n`)
  return {
    name: 'clear_tenant_context',
    parameters: [],
    returns: sql`void`,
    volatility: 'VOLATILE',
    security: 'INVOKER',
    owner: ROLES.context,
    callers,
    body: sql`BEGIN
${cleared.reduce((text, line) => sql`${text}${line}`)}END`
  }
}
