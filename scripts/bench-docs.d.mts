export function keyAt(i: number): string
export function versionOf(value: string): number
export function doc(key: string, version: number, size?: number): string
