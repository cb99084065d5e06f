export const REPOSITORY: string
export function compile(project: string, ...options: string[]): boolean
export function build(): boolean
export function buildIfNeeded(): boolean
