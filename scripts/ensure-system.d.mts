export function findCommand(name: string, further?: readonly string[]): string | undefined;
export function ensureSystem(purpose?: string): string | undefined;
