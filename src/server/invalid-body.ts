import { RequestError } from '../errors/errors.js'

/** A body that is JSON but not the documented question. `path` is a JSON pointer into the body, '' for all of it. */
export class InvalidBody extends RequestError {
  readonly path: string

  constructor(path: string, message: string, hint?: string) {
    super('TWR_REQUEST_INVALID', 400, message, hint)
    this.path = path
  }
}
