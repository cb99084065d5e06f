/**
 * The one contract between the catalog and a real system. An adapter knows paths, bytes and its target; it knows nothing
 * of records, peers or conflicts. `test/contract/adapter.ts` is the suite every adapter passes.
 */
import type { GrapevineError } from '../errors.js'
import type { Startable } from '../runtime.js'
import type { BodyRef } from '../wire/index.js'

export type { BodyRef }

/** What is at one path of the target. Paths are `/`-separated, relative, without `.` or `..`, valid Unicode. */
export type TargetEntry =
  | {
      readonly path: string
      readonly kind: 'file'
      readonly body: BodyRef
      readonly exec: boolean
      /** With its content: what tells that it is the one that was elsewhere before. */
      readonly inode: string
    }
  | {
      readonly path: string
      readonly kind: 'dir'
      /** What tells that it is the one that was elsewhere before: no other has it, not even after that one is gone. */
      readonly inode: string
    }

/** Something that cannot be shared as it is; reported, never fatal. */
export interface TargetProblem {
  readonly path: string
  readonly error: GrapevineError
}

export interface ScanResult {
  /** Everything there now. Each path once, parents before children. */
  readonly entries: ReadonlyMap<string, TargetEntry>
  /** Left out, and why. A path listed here must not be taken for deleted, nor anything below it. */
  readonly problems: readonly TargetProblem[]
  /** Paths not looked at because they match an ignore rule are in neither list. */
}

/** Where the bytes of a body come from when a file is written. */
export type BodySource = (body: BodyRef) => AsyncIterable<Uint8Array>

export type ApplyItem = (
  | {
      readonly do: 'write'
      readonly path: string
      readonly body: BodyRef
      readonly exec: boolean
      readonly expect: TargetEntry | null
    }
  | { readonly do: 'mkdir'; readonly path: string; readonly expect: TargetEntry | null }
  | { readonly do: 'remove'; readonly path: string; readonly expect: TargetEntry }
  | { readonly do: 'move'; readonly from: string; readonly path: string; readonly expect: TargetEntry }
) & {
  /** The caller's own note on the item, handed back with its result, over a crash too. */
  readonly mark?: string
}

export interface ApplyResult {
  readonly item: ApplyItem
  /**
   * done: the target holds it now (`entry` is what is there, null after a removal).
   * differs: the target did not hold what was expected; nothing was changed; a scan will show what is there.
   * failed: it could not be written; nothing was changed; may be tried again.
   * waits: it refers to what is not here yet, or what is here still refers to it (`waits`); nothing was changed; to be
   * given again when anything else has changed.
   */
  readonly outcome: 'done' | 'differs' | 'failed' | 'waits'
  readonly entry: TargetEntry | null
  readonly error?: GrapevineError
  readonly waits?: Waits
}

/** What a change waits for before it may reach the target. */
export interface Waits {
  /** In words for people, each what is missing, or what still needs that which is to go. */
  readonly for: readonly string[]
  /** coming: it is in the catalog and not in the target. broken: it is nowhere, the reference is broken at its source. */
  readonly state: 'coming' | 'broken'
  /** The change is passed on as it is when given again after so long, ms. */
  readonly againMs?: number
}

/** What the catalog holds besides a set and the target does not: things of the set may refer to it. */
export interface Coming {
  readonly entries: readonly ComingEntry[]
  /** Besides these, more sets follow at once. */
  readonly more: boolean
}

/** A change that is not in the target: its bytes are not here, it waits itself, or it could not be applied. */
export interface ComingEntry {
  readonly path: string
  /** Null when it is to be removed there. */
  readonly body: BodyRef | null
  /** Whether the bytes are here. */
  readonly here: boolean
}

/** A reference in the target to something that is nowhere. */
export interface BrokenReference {
  readonly path: string
  /** What is missing, in words for people. */
  readonly missing: string
}

/** What a watcher noticed: paths to look at again, or everything. Only a hint; the scan is the truth. */
export type WatchHint = { readonly paths: readonly string[] } | { readonly all: true }

export interface Adapter extends Startable {
  readonly kind: string
  /** Absent where nothing is known about contents: two edits of one file stay a conflict then. */
  readonly contents?: Contents
  /** What the watcher noticed is handed to `listener`, gathered over a short time. Called before start(). */
  onHint(listener: (hint: WatchHint) => void): void
  /** Looks at everything, or only at the given paths and what is below them (a path that is gone is simply absent). */
  scan(options?: {
    paths?: readonly string[]
    signal?: AbortSignal
    progress?: (done: number) => void
  }): Promise<ScanResult>
  /** The bytes of a file as scanned; throws `file-changed` when they no longer hash to `entry.body`. */
  read(entry: TargetEntry & { kind: 'file' }, signal?: AbortSignal): AsyncIterable<Uint8Array>
  /**
   * Applies one set in the order given; one result an item. After a crash start() finishes a set that was begun, or takes
   * it back when nothing of it had been put in place. `coming`: see there; absent where nothing else is known.
   */
  apply(items: readonly ApplyItem[], bodies: BodySource, signal?: AbortSignal, coming?: Coming): Promise<ApplyResult[]>
  /**
   * Among more than one set or record can hold, what others refer to has the smaller number and comes first; what is
   * removed comes in reverse, after all else. Absent: any order will do.
   */
  rankOf?(path: string): number
  /** References in the target that are broken, at most `limit` of them, in the order of paths. Absent: nothing refers. */
  broken?(limit: number): { readonly count: number; readonly references: readonly BrokenReference[] }
  /**
   * Where the target is shared with systems of other nodes (nothing is applied there): these files lie otherwise than
   * before. Absent: whoever runs over the target knows what changes in it.
   */
  noted?(paths: readonly string[]): Promise<void>
  /** Whether a file as scanned means what this body does; from then on it stands for it. Absent: only equal bytes do. */
  meansSame?(entry: TargetEntry & { kind: 'file' }, body: BodyRef, bodies: BodySource): Promise<boolean>
  /**
   * The caller has durably taken note of the results of the last set, or of `recovered`. Until it says so, start() hands
   * them out again after a crash. Absent where an adapter keeps no journal.
   */
  settled?(): Promise<void>
  /**
   * What start() made of a set that a crash had cut short: the items that are done, as results of `apply`. What somebody
   * changed since, the scan finds.
   */
  readonly recovered?: readonly ApplyResult[]
  /** True when a rule leaves this path out: never imported, written or removed, and its absence means nothing. */
  ignores(path: string, kind: 'file' | 'dir'): boolean
  /** Moves what is at `path` out of the target to `saveTo` (a directory outside the target), keeping its bytes. */
  setAside(path: string, saveTo: string): Promise<void>
  /**
   * Copies the file at `path`, as it lies there, to `saveTo` (a directory outside the target) and leaves it where it is.
   * Resolves with where the copy lies; throws `file-changed` when no file is there.
   */
  keepCopy(path: string, saveTo: string): Promise<string>
}

/**
 * What an adapter knows about contents, wherever they lie: pure functions, so that every node that is given the same
 * contents makes the same of them, byte for byte. Contents are as they travel.
 */
export interface Contents {
  /** The object a file at this path holds; `bytes` gives its content where its name is not in the path. Null: none. */
  objectAt(path: string, bytes: () => Uint8Array | undefined): NamedObject | null
  /** Whether anything but "it is a file" is known of what lies at this path. */
  knows(path: string): boolean
  /** Two edits of one content in one; null when they cannot be told apart surely. Which of them is `a` makes no difference. */
  merge(path: string, base: Uint8Array, a: Uint8Array, b: Uint8Array): Uint8Array | null
  /** Ids in a content: its own, by which others refer to it, and all it names. Null when it holds no such thing. */
  identity(path: string, bytes: Uint8Array): Identity | null
  /** The content with other ids in the place of these, and the path where it then belongs; null when it cannot be read. */
  withIds(
    path: string,
    bytes: Uint8Array,
    ids: ReadonlyMap<string, string>
  ): { readonly path: string; readonly bytes: Uint8Array } | null
}

export interface Identity {
  readonly own: string | null
  readonly named: readonly string[]
}

/** An object as people know it: a layer, a style. `name` has its workspace before it, as in `coast:contours`. */
export interface NamedObject {
  readonly kind: string
  readonly name: string
}
