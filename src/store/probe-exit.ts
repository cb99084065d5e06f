/** How the probe's worker answers: its exit code. Away from the codes Node itself uses (1 to 14). */
export const PROBE_EXIT = { ok: 0, damaged: 40, locked: 41, failed: 42 } as const
