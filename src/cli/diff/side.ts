import { stat } from 'node:fs/promises'
import { ConfigError } from '../../errors/errors.js'
import type { Bundle } from '../../ir/model.js'
import { type Loaded, loadFolder, loadTexts } from '../../policy/load.js'
import type { Io } from '../io.js'
import { count, problemText } from '../problems.js'
import { textsAt } from './git.js'

const DEFAULT_PATH = 'policies'

/**
 * One side of a comparison as a bundle. A folder that exists wins over a revision of the same name.
 *
 * @param name how the command line calls the side, BASE or HEAD
 * @throws ConfigError when it cannot be read, or does not compile: its mistakes are on standard error then
 */
export async function bundleOf(side: string, name: string, io: Io): Promise<Bundle> {
  const { bundle, problems } = await load(side)
  if (bundle !== null) return bundle
  for (const problem of problems) io.err(problemText(problem, io.errColors))
  // a difference is exit 1, so a side that has none must not look like one
  throw new ConfigError(
    'TWR_CONFIG_REVISION',
    `${name} (${side}) does not compile: ${count(problems.length, 'problem')}`,
    { hint: 'nothing was compared; fix that side first, `twinrule check` shows the same problems' }
  )
}

async function load(side: string): Promise<Loaded> {
  const isFolder = await stat(side).then(
    found => found.isDirectory(),
    () => false
  )
  if (isFolder) return loadFolder(side)
  // a branch name has no colon, so the first one ends it
  const colon = side.indexOf(':')
  const [revision, path] =
    colon < 0 ? [side, DEFAULT_PATH] : [side.slice(0, colon), side.slice(colon + 1) || DEFAULT_PATH]
  return loadTexts(await textsAt(revision, path))
}
