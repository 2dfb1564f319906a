export function findCommand(name: string): string | undefined;
export function ensureSystem(purpose?: string): string | undefined;
