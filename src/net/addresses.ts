/** Small questions about multiaddrs as text. */
import { networkInterfaces, type NetworkInterfaceInfo } from 'node:os'
import { multiaddr, type Multiaddr } from '@multiformats/multiaddr'
import type { NodeId } from '../runtime.js'

/** Addresses that mean something on this machine only: loopback, link-local, the bridge of a container engine. */
const LOCAL_ONLY = /^\/ip4\/(127\.|169\.254\.|172\.17\.)|^\/ip6\/(::1\/|fe80:)/

/** The node an address names, if it does. */
export function nodeIn(address: string): NodeId | undefined {
  return multiaddr(address)
    .getComponents()
    .findLast((component) => component.name === 'p2p')?.value
}

export function withoutNode(address: string): string {
  return address.replace(/\/p2p\/[^/]+$/, '')
}

export function withNode(address: string, node: NodeId): string {
  return `${withoutNode(address)}/p2p/${node}`
}

/**
 * The listening addresses told to others. Without a `wanted` of the operator: everything another machine can use, or all
 * when nothing else is left (a test on loopback).
 */
export function announced(addresses: Multiaddr[], wanted?: (address: string) => boolean): Multiaddr[] {
  if (wanted !== undefined) return addresses.filter((address) => wanted(address.toString()))
  const useful = addresses.filter((address) => !LOCAL_ONLY.test(address.toString()))
  return useful.length > 0 ? useful : addresses
}

/**
 * IPv4 and IPv6 addresses of this machine, one line of text: differs when a cable, a Wi-Fi or a VPN comes or goes.
 * Undefined when the system does not tell.
 */
export function interfacesFingerprint(): string | undefined {
  const interfaces = ownInterfaces()
  if (interfaces === undefined) return undefined
  return Object.entries(interfaces)
    .flatMap(([name, list]) => (list ?? []).map((entry) => `${name}=${entry.address}`))
    .toSorted()
    .join(' ')
}

/** Addresses are dialled one after another, so the likely ones come first: own subnet, then private, then the rest. */
export function likelyFirst(addresses: readonly string[]): string[] {
  const subnets = ownSubnets()
  return addresses.toSorted((a, b) => rank(a, subnets) - rank(b, subnets))
}

function rank(address: string, subnets: readonly string[]): number {
  if (subnets.some((subnet) => address.startsWith(subnet))) return 0
  if (LOCAL_ONLY.test(address)) return 3
  return /^\/ip4\/(10\.|192\.168\.|172\.(1[6-9]|2\d|3[01])\.)|^\/ip6\/f[cd]/.test(address) ? 1 : 2
}

/** The /24 of each own IPv4 address: what most LANs are, and wrong only in the order of dialling. */
function ownSubnets(): string[] {
  return Object.values(ownInterfaces() ?? {})
    .flatMap((list) => list ?? [])
    .filter((entry) => entry.family === 'IPv4' && !entry.internal)
    .map((entry) => `/ip4/${entry.address.split('.').slice(0, 3).join('.')}.`)
}

/** The IPv4 addresses of this machine behind which others may be; undefined when the system does not tell. */
export function ipv4Interfaces(): readonly string[] | undefined {
  const interfaces = ownInterfaces()
  if (interfaces === undefined) return undefined
  return Object.values(interfaces)
    .flatMap((list) => list ?? [])
    .filter((entry) => entry.family === 'IPv4' && !entry.internal)
    .map((entry) => entry.address)
}

/** The TCP ports among multiaddrs that are reached at this IPv4 address. */
export function portsAt(address: string, addresses: readonly Multiaddr[]): number[] {
  const ports = addresses.flatMap((one) => {
    const [host, transport] = one.getComponents()
    const matches = host?.name === 'ip4' && host.value === address && transport?.name === 'tcp'
    return matches ? [Number(transport.value)] : []
  })
  return [...new Set(ports)]
}

/** Asking takes a file descriptor: while none is left there is no answer, and nothing that depends on it may fail. */
function ownInterfaces(): NodeJS.Dict<NetworkInterfaceInfo[]> | undefined {
  try {
    return networkInterfaces()
  } catch {
    return undefined
  }
}

/** Who is behind an address, as far as it tells: an IPv4 address, or the /64 that one customer has of IPv6. */
export function networkOf(address: Multiaddr): string {
  const host = address.getComponents()[0]
  if (host?.name !== 'ip6') return host?.value ?? ''
  const [before = '', after = ''] = (host.value ?? '').split('::')
  const head = before === '' ? [] : before.split(':')
  const tail = after === '' ? [] : after.split(':')
  const zeros = Array.from({ length: Math.max(0, 8 - head.length - tail.length) }, () => '0')
  return [...head, ...zeros, ...tail].slice(0, 4).join(':')
}
