import type { Attack } from './attack.js'

/** What is attacked, in the order of the document, and which attacks are of the kind. */
export const KINDS: readonly (readonly [kind: string, names: RegExp])[] = [
  [
    'A forged setting: SET and set_config, for the session and the transaction, with and without a context',
    /^settings of another|^SET (?:LOCAL|of the session)$|^the (?:tenant|user) of another over|^no context at all|^a context that was cleared/
  ],
  ['A replay: the settings of another session, or after COMMIT', /'s settings\b/],
  [
    'Settings changed in the middle of the very statement: select list, WHERE, ORDER BY, CTE, RETURNING',
    /^set_config (?:in|beside)|^the (?:seal emptied|context cleared) for each row/
  ],
  [
    'Accessors asked without a context, or with a claim',
    /^(?:context_\w+|get_current_user_id)\(\)|^a colleague/
  ],
  [
    'Tokens: forged, changed, expired, of retired keys, for a tenant without membership, a second one',
    /^a token |^another token |^user and tenant by name/
  ],
  [
    'What outlives a context: prepared plans, cursors (WITH HOLD too), savepoints, parallel workers',
    /^a prepared plan|^a cursor|savepoint$|^parallel workers/
  ],
  [
    'Rights that ended in the meantime: memberships, tenants, administrators',
    /in the meantime$|who is none any more/
  ],
  [
    'Rows moved to another tenant or taken from it: UPDATE with and without WHERE, upsert, MERGE, functions',
    /moved (?:to another|by)|^a hidden row taken|^a new row of another tenant|^taking a|^giving one's own|^transfer in/
  ],
  [
    'Rows of others changed, locked or deleted: hidden, received and global ones',
    /^(?:a|all) .*rows? (?:changed|deleted|locked)|^(?:soft_delete|remove) |^a row that is shared with somebody else|^share without/
  ],
  ['Deletion in another way than by its function', /^a deletion by UPDATE|brought back|^a deleted row/],
  [
    'Sharing with oneself, sharing on, publishing without the right',
    /^(?:un)?sharing|^publishing|published globally|of the platform$/
  ],
  [
    'Oracles: unique and foreign keys, functions that say who is there, statistics of the planner',
    /^an oracle|^statistics|^another tenant looked up|^can_access_resource of|^an id for/
  ],
  [
    'Memberships, roles and administrators of one’s own making',
    /^a (?:membership|role) of one's own|^a tenant set|^(?:assigning|making) oneself|makes himself its owner/
  ],
  [
    'Roles entered without the right, or off the record',
    /^entering|^being let in|^SET (?:LOCAL )?ROLE(?! to)|^set_config of the role|^the role (?!for)|without a record|leaves no record/
  ],
  ['The role in which lists are read', /role for lists|middle of a list/],
  ['Tables and functions of twinrule', /^reading twinrule|^calling /],
  ['LOCK TABLE and TRUNCATE', /^LOCK TABLE|^the same in a role, in|^TRUNCATE/],
  ['COPY, files and programs of the server', /COPY|^files of/],
  [
    'Row-level security switched off, and policies, triggers, tables, views and functions of one’s own',
    /^row_security|^disabling|^dropping|^a (?:policy|trigger) of|^BYPASSRLS|^the session of|in (?:public|twinrule)$|^a schema|^passwords|^a copy that somebody granted/
  ],
  [
    'Errors and functions that tell of hidden rows',
    /^a (?:cast|division) that fails|^a function that tells|^an error in ORDER BY/
  ],
  ['The search path', /search path/],
  ['Injections into functions', /^an injection/]
]

/** What is no attack: the work of those who may. */
export const GOES_ON = /^the rows of (?:gus|ada)$/

/** The attacks by kind. @throws Error when one is of no kind or of two */
export function byKind(attacks: readonly Attack[]): ReadonlyMap<string, readonly string[]> {
  const found = new Map<string, string[]>(KINDS.map(([kind]) => [kind, []]))
  for (const { name } of attacks) {
    if (GOES_ON.test(name)) continue
    const [kind, ...more] = KINDS.filter(([, names]) => names.test(name)).map(([title]) => title)
    if (kind === undefined || more.length > 0) {
      throw new Error(`${name}: ${kind === undefined ? 'of no kind' : `${kind}, and ${more.join(', and ')}`}`)
    }
    found.get(kind)?.push(name)
  }
  return found
}
