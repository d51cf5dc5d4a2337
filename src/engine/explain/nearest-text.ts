import type { NearestGrant, Step } from './explanation.js'
import { type Marks, shortValue } from './words.js'

/** What would have to change, in lines. */
export function nearestText(nearest: NearestGrant, marks: Marks): string[] {
  switch (nearest.outcome) {
    case 'not_asked':
      return []
    case 'hidden':
      return ['', marks.faint('What would have to change is not shown: it would tell what is hidden.')]
    case 'none':
      return [
        '',
        nearest.steps === 0 ? 'Nothing would change that.' : `No ${changes(nearest.steps)} would allow it.`
      ]
    case 'too_many':
      return [
        '',
        nearest.steps === 0
          ? 'What would allow it was not found: there is too much to try.'
          : `No ${changes(nearest.steps)} would allow it; of more, there is too much to try.`
      ]
    case 'found':
      return ['', ...foundText(nearest.grants, marks)]
  }
}

function changes(steps: number): string {
  return steps === 1 ? 'single change' : `change of at most ${steps} things`
}

function foundText(grants: readonly (readonly Step[])[], marks: Marks): string[] {
  const [first = []] = grants
  if (first.length > 1) {
    return [
      marks.strong(`The smallest change that would allow it takes ${first.length} steps:`),
      ...first.map(step => `  - ${stepText(step)}`)
    ]
  }
  const heading =
    grants.length > 1 ? 'Any one of these changes would allow it:' : 'This change would allow it:'
  return [marks.strong(heading), ...grants.flatMap(one => one.map(step => `  - ${stepText(step)}`))]
}

/** A step as a sentence. */
export function stepText(step: Step): string {
  switch (step.change) {
    case 'set':
      return `${step.at}: ${shortValue(step.to)} instead of ${shortValue(step.from)}`
    case 'add':
      return `${step.at}: with ${shortValue(step.value)} in it`
    case 'remove':
      return `${step.at}: without ${shortValue(step.value)} in it`
    case 'add_row':
      return `${step.at}: with one more row, ${shortValue(step.row)}`
    case 'remove_row':
      return `${step.at}: without the row ${shortValue(step.row)}`
    case 'leave':
      return `${step.at}: leave it as it is`
  }
}
