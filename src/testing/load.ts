import { join } from 'node:path'
import { type PolicyError, TestError } from '../errors/errors.js'
import type { Bundle } from '../ir/model.js'
import { namesBelow, readText, shownPath } from '../policy/files.js'
import { readTestFile, type TestFile } from './file.js'

/** Which files of a folder hold policy tests. */
export const TEST_FILE = /\.test\.ya?ml$/

/** What a folder gave: tests, or the mistakes in their files. */
export interface LoadedTests {
  readonly files: readonly TestFile[]
  readonly problems: readonly PolicyError[]
}

/**
 * Reads every `*.test.yaml` and `*.test.yml` below a folder.
 *
 * @throws TestError TWR_TEST_NO_FILES when there is none
 */
export async function loadTests(dir: string, bundle: Bundle): Promise<LoadedTests> {
  const names = await namesBelow(dir, TEST_FILE)
  if (names.length === 0) {
    throw new TestError('TWR_TEST_NO_FILES', `there is no *.test.yaml file in ${dir}`, {
      hint: 'docs/testing.md shows a first one'
    })
  }
  const read = await Promise.all(
    names.map(async name => {
      const path = join(dir, name)
      return readTestFile(bundle, shownPath(path), await readText(path))
    })
  )
  return {
    files: read.flatMap(({ test }) => test ?? []),
    problems: read.flatMap(({ problems }) => problems)
  }
}
