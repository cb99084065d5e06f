/** Everything this adapter reports, each with the step that mends it. */
import { diskError, faultText, GrapevineError, isErrno, isFault } from '../../errors.js'
import { showName } from '../names.js'

export function rootMissing(root: string, reason: string): GrapevineError {
  return new GrapevineError('target-missing', `the shared directory ${root} ${reason}`, {
    next: "bring it back (is a disk not mounted?); nothing was taken for deleted. When this is the right one all the same, remove root-identity.json from the node's home and restart the daemon: then what either side has is kept",
    facts: { root, reason }
  })
}

export function unreadable(path: string, cause: unknown): GrapevineError {
  return new GrapevineError('file-unreadable', `${showName(path)} cannot be read`, {
    next: "give the daemon's user read access to it, or add it to .grapevineignore",
    facts: { path: showName(path) },
    cause
  })
}

/** `transient`: it is looked at again by itself soon. */
export function changing(path: string, what: string, transient: boolean): GrapevineError {
  return new GrapevineError('file-changed', `${showName(path)} ${what}`, {
    next: 'nothing to do: it is looked at again when it has come to rest',
    facts: { path: showName(path), transient }
  })
}

export function notShared(path: string, what: string): GrapevineError {
  return new GrapevineError('file-not-shared', `${showName(path)} is ${what} and is left out`, {
    next: 'put a plain file or directory in its place, or add it to .grapevineignore',
    facts: { path: showName(path), what }
  })
}

export function ignored(path: string): GrapevineError {
  return new GrapevineError(
    'file-not-shared',
    `${showName(path)} matches an ignore pattern of this node and is not written`,
    {
      next: 'remove the pattern from .grapevineignore or from the configuration to have it here',
      facts: { path: showName(path) }
    }
  )
}

export function differs(path: string, what: string): GrapevineError {
  return new GrapevineError('target-write-failed', `${showName(path)} was left as it is: ${what}`, {
    next: 'nothing to do when somebody just changed it: the next scan takes the change over',
    facts: { path: showName(path), what }
  })
}

/** Turns what a write threw into our error. */
export function writeFailed(path: string, error: unknown): GrapevineError {
  if (isErrno(error, 'EACCES', 'EPERM', 'EROFS')) {
    return new GrapevineError('target-write-failed', `${showName(path)} cannot be written`, {
      next: "give the daemon's user write access to the directory it lies in",
      facts: { path: showName(path) },
      cause: error
    })
  }
  if (!(error instanceof GrapevineError) && isFault(error)) {
    return new GrapevineError('internal', `${showName(path)} cannot be applied: ${faultText(error)}`, {
      next: 'report this',
      facts: { path: showName(path) },
      cause: error
    })
  }
  return diskError(error, 'target-write-failed', `${showName(path)} cannot be written`, { path: showName(path) })
}
