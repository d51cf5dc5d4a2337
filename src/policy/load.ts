import { join } from 'node:path'
import { PolicyError } from '../errors/errors.js'
import { deepFreeze } from '../ir/formula.js'
import type { Bundle } from '../ir/model.js'
import { namesBelow, POLICY_FILE, readText, shownPath } from './files.js'
import { includedSources } from './presets.js'
import { resolve } from './resolve.js'
import { revisionOf } from './revision.js'
import { parseSource, type Source } from './source.js'
import { shapeProblems } from './validate.js'

/** What a policy folder gave: a bundle, or the mistakes in the order of files and lines. */
export type Loaded =
  | { readonly bundle: Bundle; readonly problems: readonly [] }
  | { readonly bundle: null; readonly problems: readonly PolicyError[] }

/**
 * Reads every `*.yaml` and `*.yml` below a folder (`*.test.yaml` left out) and compiles them together.
 * File names in problems are relative to the working directory, as editors and CI expect them.
 */
export async function loadFolder(dir: string): Promise<Loaded> {
  let names: readonly string[]
  try {
    names = await namesBelow(dir, POLICY_FILE)
  } catch (cause) {
    const why =
      (cause as NodeJS.ErrnoException).code === 'ENOENT'
        ? 'there is no such folder'
        : 'the folder cannot be read'
    return failed([noFiles(dir, why)])
  }
  if (names.length === 0) return failed([noFiles(dir, 'the folder holds no *.yaml file')])
  const texts: Record<string, string> = {}
  for (const name of names) {
    const path = join(dir, name)
    const shown = shownPath(path)
    try {
      texts[shown] = await readText(path)
    } catch {
      return failed([noFiles(shown, 'the file cannot be read')])
    }
  }
  return loadTexts(texts)
}

/** Policies from a folder, or from texts by file name. */
export async function loadPolicies(from: string | Readonly<Record<string, string>>): Promise<Loaded> {
  return typeof from === 'string' ? loadFolder(from) : loadTexts(from)
}

/** Compiles policy files that are already text, by file name. Pure. */
export function loadTexts(texts: Readonly<Record<string, string>>): Loaded {
  const problems: PolicyError[] = []
  const sources: Source[] = []
  for (const [file, text] of Object.entries(texts)) {
    const parsed = parseSource(file, text)
    problems.push(...parsed.problems)
    if (parsed.source !== null) sources.push(parsed.source)
  }
  for (const source of sources) problems.push(...shapeProblems(source))
  const unreadable = sources.length < Object.keys(texts).length
  // what a file that cannot be read declares is unknown, so names are not resolved against the rest
  if (sources.length === 0 || unreadable) return failed(problems)
  const resolved = resolve([...sources, ...includedSources(sources, problems)], problems)
  if (problems.length > 0) return failed(problems)
  return { bundle: deepFreeze({ version: 1, ...resolved, revision: revisionOf(resolved) }), problems: [] }
}

function failed(problems: readonly PolicyError[]): Loaded {
  // a trait is resolved for each resource that uses it: its mistakes are the same ones
  const unique = new Map(
    problems
      .toReversed()
      .map(one => [`${one.span.file} ${one.span.line} ${one.span.column} ${one.code}`, one])
  )
  return { bundle: null, problems: [...unique.values()].sort(byPlace) }
}

function byPlace(a: PolicyError, b: PolicyError): number {
  if (a.span.file !== b.span.file) return a.span.file < b.span.file ? -1 : 1
  return a.span.line - b.span.line || a.span.column - b.span.column
}

function noFiles(file: string, why: string): PolicyError {
  const span = { file, line: 1, column: 1, endLine: 1, endColumn: 1 }
  return new PolicyError(
    'TWR_POLICY_NO_FILES',
    why,
    span,
    'name the folder of your policy files, for example `policies`'
  )
}
