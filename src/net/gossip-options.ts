/** The settings of gossipsub, each with its reason. Measured: field notes on libp2p, section 5. */
import { createHash } from 'node:crypto'
import type { GossipsubOptions } from './gossip.js'
import {
  CIRCLE_MESSAGE_BYTES,
  GOSSIP_MAX_CONTROL,
  GOSSIP_MAX_IDONTWANT,
  GOSSIP_MAX_IDS,
  GOSSIP_MAX_MESSAGES,
  GOSSIP_MAX_PEERS,
  GOSSIP_MAX_SUBSCRIPTIONS,
  GOSSIP_MAX_TOPIC_BYTES,
  GOSSIP_QUEUE_BYTES,
  MAX_GOSSIP_RPC_BYTES,
  MAX_LANE_STREAMS
} from './limits.js'

/** How many neighbours get each message at once; names as in the gossipsub specification. */
export interface Degrees {
  D: number
  Dlo: number
  Dhi: number
  Dout: number
  Dscore: number
}

/** Copies cost CPU at every node; up to 8 peers 4 are as reliable as 6. */
const FEW_PEERS = 8
const DEGREES_FEW: Degrees = { D: 4, Dlo: 3, Dhi: 6, Dout: 1, Dscore: 2 }
const DEGREES_MANY: Degrees = { D: 6, Dlo: 4, Dhi: 10, Dout: 2, Dscore: 4 }

export function degreesFor(peers: number): Degrees {
  return peers <= FEW_PEERS ? DEGREES_FEW : DEGREES_MANY
}

/** Only invalid messages count, and without these parameters they would count for nothing. */
const TOPIC_SCORE = {
  topicWeight: 1,
  timeInMeshWeight: 0,
  timeInMeshQuantum: 1_000,
  timeInMeshCap: 10,
  firstMessageDeliveriesWeight: 0,
  firstMessageDeliveriesDecay: 0.5,
  firstMessageDeliveriesCap: 10,
  meshMessageDeliveriesWeight: 0,
  meshMessageDeliveriesDecay: 0.5,
  meshMessageDeliveriesCap: 10,
  meshMessageDeliveriesThreshold: 1,
  meshMessageDeliveriesWindow: 10,
  meshMessageDeliveriesActivation: 1_000,
  meshFailurePenaltyWeight: 0,
  meshFailurePenaltyDecay: 0.5,
  invalidMessageDeliveriesWeight: -10,
  invalidMessageDeliveriesDecay: 0.9
}

/** @param appScore 0 for members; far below zero for others, whom gossipsub then ignores. */
export function gossipOptions(topic: string, peers: number, appScore: (node: string) => number): GossipsubOptions {
  return {
    globalSignaturePolicy: 'StrictNoSign',
    // Over all the data: the seen-cache is filled before the validator runs, so a shorter id could pre-empt others.
    msgIdFn: (message) => sha256(message.data).subarray(0, 20),
    msgIdToStrFn: (id) => Buffer.from(id).toString('latin1'),
    fastMsgIdFn: (message) => sha256(message.data ?? new Uint8Array()).toString('latin1', 0, 12),
    allowedTopics: [topic],
    maxTopicBytesPerPeer: GOSSIP_MAX_TOPIC_BYTES,
    decodeRpcLimits: {
      maxSubscriptions: GOSSIP_MAX_SUBSCRIPTIONS,
      maxMessages: GOSSIP_MAX_MESSAGES,
      maxIhaveMessageIDs: GOSSIP_MAX_IDS,
      maxIwantMessageIDs: GOSSIP_MAX_IDS,
      maxIdontwantMessageIDs: GOSSIP_MAX_IDONTWANT,
      maxControlMessages: GOSSIP_MAX_CONTROL,
      maxPeerInfos: GOSSIP_MAX_PEERS
    },
    maxInboundStreams: MAX_LANE_STREAMS,
    fallbackToFloodsub: false,
    allowPublishToZeroTopicPeers: true,
    ignoreDuplicatePublishError: true,
    emitSelf: false,
    doPX: false,
    tagMeshPeers: false,
    ...degreesFor(peers),
    Dlazy: 6,
    gossipFactor: 0.25,
    floodPublish: false,
    batchPublish: true,
    heartbeatInterval: 1_000,
    mcacheLength: 6,
    mcacheGossip: 3,
    seenTTL: 600_000,
    idontwantMinDataSize: CIRCLE_MESSAGE_BYTES,
    gossipsubIWantFollowupMs: 12_000,
    // gossip-inbox.ts cuts the stream into RPCs first, ends the link of who exceeds it, and says so.
    maxInboundDataLength: MAX_GOSSIP_RPC_BYTES + 8,
    maxOutboundBufferSize: GOSSIP_QUEUE_BYTES,
    awaitRpcHandler: true,
    awaitRpcMessageHandler: true,
    scoreParams: {
      // Membership is the gate; many members behind one address (an office, a test) are no attack.
      IPColocationFactorWeight: 0,
      behaviourPenaltyWeight: -1,
      behaviourPenaltyThreshold: 6,
      behaviourPenaltyDecay: 0.9,
      appSpecificScore: appScore,
      appSpecificWeight: 1,
      topics: { [topic]: TOPIC_SCORE }
    }
  }
}

function sha256(data: Uint8Array): Buffer {
  return createHash('sha256').update(data).digest()
}
