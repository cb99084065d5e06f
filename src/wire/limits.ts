/** Every limit on what crosses the process border: name, unit, reason. Tested at the limit and one past it. */

/** A record's body plus signature. 1,000 entries of eleven fields measured 352 KB. */
export const MAX_RECORD_BYTES = 512 * 1024
/** Ops of one record: bounds the work one signature can cause. */
export const MAX_RECORD_OPS = 2_000
/** Seq and depth: the greatest that six bytes hold, which is what vectors and index rows have for them. */
export const MAX_SEQ = 2 ** 48 - 1
/** Heads named by one record. */
export const MAX_RECORD_DEPS = 1_024
/** One Yjs update of one entry. */
export const MAX_UPDATE_BYTES = 64 * 1024
/** Values one update may write for one entry. */
export const MAX_UPDATE_TUPLES = 256
/** Name of a field, UTF-8 bytes. */
export const MAX_FIELD_NAME_BYTES = 64
/** Nesting of a field value. */
export const MAX_VALUE_DEPTH = 16
/** One name of a path, UTF-8 bytes (the limit of common file systems). */
export const MAX_NAME_BYTES = 255
/** A whole path, UTF-8 bytes. */
export const MAX_PATH_BYTES = 4_096
/** Depth of nesting of CBOR in any message. */
export const MAX_CBOR_DEPTH = 32
/** Bodies up to this size travel inside their record; larger ones as blobs. */
export const MAX_INLINE_BODY_BYTES = 16 * 1024
/** One gossip message. The stack mutes a link for good above 4 MiB a frame; stay far below (LIBP2P 5.6). */
export const MAX_GOSSIP_BYTES = 64 * 1024
/** One message on a kept stream, requests and answers alike. */
export const MAX_FRAME_BYTES = 2 * 1024 * 1024
/** Records answered to one pull, bytes (at least one record is always sent). */
export const MAX_PULL_BYTES = 1024 * 1024
/** What packed records of an answer unpack to, bytes. */
export const MAX_PACKED_BYTES = 256 * 1024
/** Chunk of a blob, bytes. Measured best for pulls on one kept stream (LIBP2P 7.2). */
export const BLOB_CHUNK_BYTES = 256 * 1024
/** Chunks one request may ask for: 1 MiB, half of what a frame may have. */
export const MAX_PART_CHUNKS = 4
/** Children of one node of a blob's hash tree: 8,192 x 32 bytes = one chunk. */
export const BLOB_TREE_FANOUT = 8_192
/** Largest body that may be declared, bytes (1 TiB). */
export const MAX_BODY_BYTES = 2 ** 40
/** Uses of one invitation. */
export const MAX_INVITE_USES = 10_000
/** Logs one revocation names: every epoch a key has written under, in each space. */
export const MAX_REVOCATION_CUTS = 2_048
/** Paths of one member's scope. */
export const MAX_SCOPES = 16
/** One path of a scope, UTF-8 bytes. */
export const MAX_SCOPE_BYTES = 1_024
/** Rounds of certificates. */
export const MAX_ROUND = 2 ** 32
/** Certificates one record renews: a tenth of what a record may hold. */
export const MAX_RENEWED_KEYS = 1_500
/** Members for whom one record holds the cluster secret. */
export const MAX_SECRET_BOXES = 2_000
/** Counts of secrets, and of what the root signed. */
export const MAX_SERIAL = 2 ** 32
/** Life of an invitation, ms (one year). */
export const MAX_INVITE_MS = 366 * 86_400_000
/** Logical steps a clock value may be: microseconds since 1970, below 2^53. */
export const MAX_TIME = Number.MAX_SAFE_INTEGER
/** A checkpoint's manifest: a million entries in pieces of 512, and 60,000 logs. */
export const MAX_MANIFEST_BYTES = 64 * 1024 * 1024
/** Records handed over with a checkpoint: its proposal, and members' word for it. */
export const MAX_CHECKPOINT_PROOFS = 4_096
/** Contents that hold the small bodies of a checkpoint: one for each piece of some hundred entries. */
export const MAX_CHECKPOINT_PACKS = 32_768
/** The name of a system that a node runs beside, or of a plugin it lacks, UTF-8 bytes. */
export const MAX_SYSTEM_BYTES = 64
/** Plugins that a node says are lacking. */
export const MAX_LACKS = 16
