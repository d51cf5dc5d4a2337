/** What one error code stands for. `exit` is the exit code of a command that ends with it. */
export interface CodeEntry {
  readonly title: string
  readonly exit: 1 | 2 | 3 | 70 | 78
}

/**
 * Every code twinrule can answer with. Codes are public and never change their meaning; messages may.
 * POLICY: a mistake in a policy file. CONFIG: a setting or flag. DB: a database. REQUEST: a caller's request.
 * TEST: a policy test. LEAK: what `twinrule leakcheck` cannot check. PROOF: what `twinrule prove` could not read. DRIFT: what `twinrule drift` finds.
 * CATALOG: what `twinrule check --database` finds. GENERATED: a file that twinrule has written.
 */
export const CODES = {
  TWR_POLICY_NO_FILES: { title: 'The policy folder is missing, unreadable or holds no policy file', exit: 1 },
  TWR_POLICY_TOO_LARGE: { title: 'A policy file is larger than the limit', exit: 1 },
  TWR_POLICY_YAML: { title: 'A policy file is not valid YAML', exit: 1 },
  TWR_POLICY_YAML_ALIAS: { title: 'YAML anchors, aliases and tags are refused', exit: 1 },
  TWR_POLICY_YAML_DEPTH: { title: 'A policy file is nested too deeply', exit: 1 },
  TWR_POLICY_SCHEMA: { title: 'A policy or test file does not have the documented shape', exit: 1 },
  TWR_POLICY_UNSUPPORTED: { title: 'This part of the language is not supported yet', exit: 1 },
  TWR_POLICY_RESERVED: { title: 'A name is reserved', exit: 1 },
  TWR_POLICY_DUPLICATE: { title: 'Two declarations have the same name', exit: 1 },
  TWR_POLICY_UNKNOWN_TYPE: { title: 'A type is neither built in nor a declared enum', exit: 1 },
  TWR_POLICY_UNKNOWN_TRAIT: { title: 'A resource uses a trait that is not declared', exit: 1 },
  TWR_POLICY_UNKNOWN_MACRO: { title: 'A condition uses a macro that is not declared', exit: 1 },
  TWR_POLICY_MACRO_CYCLE: { title: 'A macro uses itself', exit: 1 },
  TWR_POLICY_UNKNOWN_COLUMN: {
    title: 'A condition reads a column that the resource does not declare',
    exit: 1
  },
  TWR_POLICY_UNKNOWN_PRINCIPAL: {
    title: 'A condition reads a principal attribute that is not declared',
    exit: 1
  },
  TWR_POLICY_UNKNOWN_LABEL: { title: 'A literal is not a label of the enum', exit: 1 },
  TWR_POLICY_PRINCIPAL_SOURCE: {
    title: 'Nothing supplies this principal attribute, or not with this type',
    exit: 1
  },
  TWR_POLICY_PRINCIPAL_ID: { title: 'The principal must declare its id', exit: 1 },
  TWR_POLICY_SYNTAX: { title: 'A condition cannot be parsed', exit: 1 },
  TWR_POLICY_CONDITION_SIZE: { title: 'A condition is too long or nested too deeply', exit: 1 },
  TWR_POLICY_TYPE: { title: 'The two sides of a comparison have different types', exit: 1 },
  TWR_POLICY_ORDER: { title: 'Values of this type have no order that both sides share', exit: 1 },
  TWR_POLICY_NOT_BOOLEAN: { title: 'A condition must be true or false', exit: 1 },
  TWR_POLICY_NULL: { title: 'null may only be tested with == and != on one value', exit: 1 },
  TWR_POLICY_LITERAL: { title: 'A literal is out of range or has the wrong form', exit: 1 },
  TWR_POLICY_CONSTANT: { title: 'A comparison reads neither the principal nor the resource', exit: 1 },
  TWR_POLICY_TWO_COLUMNS: { title: 'Two columns are compared with each other', exit: 1 },
  TWR_POLICY_ACTION: { title: 'A rule names an action that does not exist', exit: 1 },
  TWR_POLICY_EFFECT: { title: 'A rule must either allow or forbid', exit: 1 },
  TWR_POLICY_USELESS_CHECK: {
    title: '`check` stands on a rule that allows neither create nor update',
    exit: 1
  },
  TWR_POLICY_TOO_COMPLEX: { title: 'A condition has too many alternatives', exit: 1 },
  TWR_POLICY_NOT_PORTABLE: { title: 'A condition cannot be said with plain CASL rules', exit: 1 },
  TWR_POLICY_RELATION: { title: 'A relation is not declared as it must be', exit: 1 },
  TWR_POLICY_UNKNOWN_RELATION: { title: 'A condition uses a relation that is not declared', exit: 1 },
  TWR_POLICY_SOFT_DELETE: {
    title: '`soft_delete` names a column that cannot hold the time of a deletion',
    exit: 1
  },
  TWR_POLICY_THROUGH: { title: 'A column rule cannot be carried out by the function that it names', exit: 1 },
  TWR_POLICY_INCLUDE: { title: 'A file includes a preset that does not exist', exit: 1 },
  TWR_POLICY_INVARIANT: { title: 'An invariant names a resource that is not declared', exit: 1 },
  TWR_POLICY_FORMAT: { title: 'A file cannot be formatted without saying something else', exit: 1 },
  TWR_LEAK_FILE: { title: 'A leakcheck file does not say what to ask, or for whom', exit: 2 },
  TWR_LEAK_TARGET: { title: 'What leakcheck asks cannot be asked', exit: 2 },
  TWR_LEAK_BLIND: { title: 'The answers to leakcheck do not tell tenants apart', exit: 2 },
  TWR_TEST_NO_FILES: { title: 'There is no policy test to run', exit: 2 },
  TWR_TEST_SHAPE: { title: 'A policy test does not say who, what or which', exit: 2 },
  TWR_TEST_NAME: { title: 'A policy test uses a name that is not declared, or declares one twice', exit: 2 },
  TWR_TEST_VALUE: { title: 'A value in a policy test is not of its type, or is missing', exit: 2 },
  TWR_TEST_FIXTURE: { title: 'The rows of a policy test cannot be put into the database', exit: 2 },
  TWR_TEST_SERVICE: { title: 'The service to be tested cannot be asked, or has other policies', exit: 2 },
  TWR_CONFIG: { title: 'A setting or flag is missing or wrong', exit: 2 },
  TWR_CONFIG_REVISION: { title: 'A folder or git revision cannot be read', exit: 2 },
  TWR_CONFIG_EMBEDDED: { title: 'The embedded database cannot be used here', exit: 2 },
  TWR_GENERATED_EDITED: { title: 'A generated file was edited by hand', exit: 1 },
  TWR_GENERATED_STALE: { title: 'A generated file is not what the policy compiles to', exit: 1 },
  TWR_DB_UNREACHABLE: { title: 'The database cannot be reached or refused the login', exit: 3 },
  TWR_DB_UNSAFE_ROLE: { title: 'The login of the service can bypass or change the policies', exit: 78 },
  TWR_DB_NOT_MIGRATED: { title: 'The database does not hold the compiled policies', exit: 78 },
  TWR_DB_OLD_SERVER: { title: 'The server has known holes in row-level security', exit: 78 },
  TWR_DB_DRIFT: { title: 'The database is not what its last migration left', exit: 78 },
  TWR_DB_MIGRATION: { title: 'A migration failed and was rolled back', exit: 3 },
  TWR_DB_KEY: { title: 'A context key is not known, or its name is taken', exit: 3 },
  TWR_DB_INDEX: { title: 'A migration is done, but an index could not be made or dropped', exit: 3 },
  TWR_DB_NOT_MEMBER: { title: 'The user of a transaction is no active member of an active tenant', exit: 3 },
  TWR_DB_TRANSACTION: {
    title: 'The transaction of a tenant is nested, has ended or was not committed',
    exit: 3
  },
  TWR_DB_FAULT: { title: 'A statement failed', exit: 3 },
  TWR_DRIFT_POLICY: { title: "A policy is not the compiled one, is gone or is nobody's", exit: 1 },
  TWR_DRIFT_TABLE: {
    title: 'A table, schema or database is not as it was, or without its security',
    exit: 1
  },
  TWR_DRIFT_GRANT: { title: 'A privilege was granted or taken by hand', exit: 1 },
  TWR_DRIFT_FUNCTION: { title: 'A function of the schema twinrule is not the compiled one', exit: 1 },
  TWR_DRIFT_TRIGGER: {
    title: 'A trigger, event trigger or rule was changed, disabled, added or dropped',
    exit: 1
  },
  TWR_DRIFT_ROLE: { title: 'A role has other attributes, memberships or settings', exit: 1 },
  TWR_DRIFT_INDEX: { title: 'An index or constraint was changed or dropped', exit: 1 },
  TWR_DRIFT_OPEN: { title: 'Applications reach something that row-level security does not hold', exit: 1 },
  TWR_DRIFT_RECORD: { title: 'The record of the last migration is missing or was changed', exit: 1 },
  TWR_DRIFT_REVISION: { title: 'The database holds another revision than the policy', exit: 1 },
  TWR_REQUEST_INVALID: { title: 'The request is not well formed', exit: 1 },
  TWR_REQUEST_UNAUTHENTICATED: { title: 'The API key is missing or wrong', exit: 1 },
  TWR_REQUEST_TOO_LARGE: { title: 'The request is too large', exit: 1 },
  TWR_REQUEST_NOT_FOUND: { title: 'There is no such endpoint', exit: 1 },
  TWR_REQUEST_METHOD: { title: 'The endpoint does not take this method', exit: 1 },
  TWR_REQUEST_LIST: { title: 'A list cannot be made as it was asked for', exit: 1 },
  TWR_REQUEST_NO_LISTS: { title: 'The service was started without a login for lists', exit: 1 },
  TWR_REQUEST_CURSOR: { title: 'The cursor is not one of this list', exit: 1 },
  TWR_REQUEST_DRAINING: { title: 'The service is shutting down', exit: 1 },
  TWR_REQUEST_OVERLOADED: { title: 'Too many requests are in flight', exit: 1 },
  TWR_CATALOG_TABLE: {
    title: 'A table that the policy names is not in the database, or is no table',
    exit: 1
  },
  TWR_CATALOG_COLUMN: { title: 'A table lacks a declared column', exit: 1 },
  TWR_CATALOG_TYPE: { title: 'A column has another type than declared', exit: 1 },
  TWR_CATALOG_NULL: {
    title: 'A column may be null and is declared not to be, or the other way round',
    exit: 1
  },
  TWR_CATALOG_ENUM: { title: 'A column may hold other labels than the enum declares', exit: 1 },
  TWR_CATALOG_COLLATION: { title: 'A column takes different texts for equal', exit: 1 },
  TWR_CATALOG_KEY: { title: 'The id, or the key of a relation to one row, is not unique', exit: 1 },
  TWR_CATALOG_INDEX: { title: 'An index that the rules need is missing', exit: 1 },
  TWR_CATALOG_ORACLE: { title: 'A unique or foreign key tells of rows that are hidden', exit: 1 },
  TWR_PROOF_SQL: { title: 'Generated SQL is outside of what the proof reads', exit: 1 },
  TWR_BUG: { title: 'A fault in twinrule itself', exit: 70 }
} as const satisfies Record<string, CodeEntry>

/** A code of the table above. */
export type Code = keyof typeof CODES
/** A code about policy files and their tests. */
export type PolicyCode = Extract<Code, `TWR_POLICY_${string}` | `TWR_TEST_${string}`>
/** A code about checking for leaks. */
export type LeakCode = Extract<Code, `TWR_LEAK_${string}`>
/** A code about running policy tests. */
export type TestCode = Extract<Code, `TWR_TEST_${string}`>
/** A code about a policy file and a live database that do not fit. */
export type CatalogCode = Extract<Code, `TWR_CATALOG_${string}`>
/** A code about a file that twinrule has written. */
export type GeneratedCode = Extract<Code, `TWR_GENERATED_${string}`>
/** A code about settings and flags. */
export type ConfigCode = Extract<Code, `TWR_CONFIG${string}`>
/** A code about a database. */
export type DatabaseCode = Extract<Code, `TWR_DB_${string}`>
