import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { stampState } from '../backends/sql/generated.js'
import { PolicyError } from '../errors/errors.js'
import { ACCESS_FILE } from './runner.js'

const HINT =
  'what was changed by hand is never run: move it into the policy or into a numbered migration, delete the file and generate it again'

/** That a generated file is not as it was generated. */
export function editedFile(file: string): PolicyError {
  const span = { file, line: 1, column: 1, endLine: 1, endColumn: 1 }
  return new PolicyError('TWR_GENERATED_EDITED', `${file} was edited after it was generated`, span, HINT)
}

/** The generated files of a folder of migrations that were edited. A folder that is not there has none. */
export async function editedFiles(dir: string): Promise<readonly PolicyError[]> {
  const names = await readdir(dir).catch((): string[] => [])
  const files = names.filter(name => name.endsWith('.sql')).sort()
  const states = await Promise.all(
    files.map(async name => ({ name, state: stampState(await readFile(join(dir, name), 'utf8')) }))
  )
  return states
    .filter(({ name, state }) => state === 'edited' || (name === ACCESS_FILE && state === 'none'))
    .map(({ name }) => editedFile(join(dir, name)))
}
