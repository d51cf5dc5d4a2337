import { readFile } from 'node:fs/promises'
import { stampState } from '../backends/sql/generated.js'
import { editedFile } from '../migrate/generated.js'
import { writeWhole } from './write-file.js'

/**
 * Writes a generated file, unless that would lose what somebody has changed in it by hand.
 *
 * @returns whether the file had other text before, or did not exist
 * @throws PolicyError TWR_GENERATED_EDITED
 */
export async function writeGenerated(path: string, text: string): Promise<boolean> {
  const before = await readFile(path, 'utf8').catch(() => '')
  if (stampState(before) === 'edited') throw editedFile(path)
  return writeWhole(path, text)
}
