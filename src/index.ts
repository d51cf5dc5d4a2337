/**
 * The public face of twinrule: load policies, decide with them, compile them.
 *
 * @module
 */
export { type CaslRule, type CaslTemplate, caslRules, caslTemplates } from './backends/casl.js'
export type { SqlObject } from './backends/sql/object.js'
export { tenantList } from './client/tenant-list.js'
export * from './client.js'
export { exactTypes } from './db/exact-types.js'
export {
  type ListClient,
  type ListOptions,
  type ListPage,
  type ListStatement,
  listResources,
  type PlannedList,
  planList
} from './db/list.js'
export type { ListQuery } from './db/list-query.js'
export { type Compiled, compile } from './engine/compile.js'
export { createEngine, type Engine, type EngineOptions } from './engine/engine.js'
export type { ExplainOptions } from './engine/explain/explain.js'
export type * from './engine/explain/explanation.js'
export { EXPLANATION_SCHEMA } from './engine/explain/schema.js'
export { explanationText } from './engine/explain/text.js'
export type { AbilityRow, RowAbility } from './engine/portable.js'
export { SUBJECT_TYPE } from './engine/question.js'
export type { Answer, DecisionRequest, DenyCode, ReasonCode } from './engine/request.js'
export { CODES, type Code, type CodeEntry } from './errors/codes.js'
export * from './errors/errors.js'
export type { Action, Bundle, Column, PrincipalAttribute, Resource, Rule } from './ir/model.js'
export { ACTIONS } from './ir/model.js'
export { type Loaded, loadFolder, loadPolicies, loadTexts } from './policy/load.js'
export { PRESET_NAMES, presetText } from './policy/presets.js'
export type { Counterexample } from './prove/counterexample.js'
export { prove } from './prove/prove.js'
export type {
  GateProof,
  InvariantCounterexample,
  InvariantProof,
  ProofReport,
  ResourceProof,
  Verdict
} from './prove/report.js'
export type { ProveOptions } from './prove/resource.js'
