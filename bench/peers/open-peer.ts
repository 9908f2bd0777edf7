import { openBullMq } from './bullmq.ts'
import type { Peer, PeerName } from './peer.ts'
import { openPgBoss } from './pg-boss.ts'

/** Opens a peer on its PostgreSQL or Redis. */
export const openPeer = (name: PeerName, url: string): Promise<Peer> => (name === 'pg-boss' ? openPgBoss(url) : openBullMq(url))
