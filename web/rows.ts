/*
 * What the console reads of the answers of the API (docs/API.md): the page is checked against a real gateway by its test,
 * and knows no file of the server.
 */

export interface BytesBySource {
  readonly origin: number;
  readonly peers: number;
  readonly local: number;
}

export interface Status {
  readonly swarm: string;
  readonly version: string;
  readonly nats: string;
  readonly schedulers: number;
  readonly hosts: number;
  readonly tasks: number;
  readonly partitions: { readonly served: number; readonly unserved: readonly number[] };
}

export interface Task {
  readonly taskId: string;
  readonly state: string;
  readonly length?: number;
  readonly pieceLength?: number;
  readonly sources: readonly string[];
  readonly holders: number;
  readonly fetching: number;
  readonly audience: string;
  readonly originReasons?: Readonly<Record<string, number>>;
  readonly error?: { readonly code: string; readonly message: string };
}

export interface TaskHost {
  readonly hostId: string;
  readonly have: number;
  readonly pieces: number;
  readonly bytes: BytesBySource;
  readonly state: string;
  readonly cells?: string;
  readonly from?: readonly string[];
}

export interface Host {
  readonly hostId: string;
  readonly ip: string;
  readonly port: number;
  readonly role: string;
  readonly zone?: string;
  readonly labels?: Readonly<Record<string, string>>;
  readonly version: string;
  readonly aliveAgoMs: number;
  readonly uploading: number;
  readonly downloading: number;
  readonly cachedBytes: number;
  readonly cachedTasks: number;
}

export interface Scheduler {
  readonly schedulerId: string;
  readonly name: string;
  readonly sinceMs: number;
  readonly partitions: readonly number[];
  readonly epochLeast: number;
  readonly epoch: number;
  readonly guided: boolean;
  readonly leaving: boolean;
  readonly tasks: number;
  readonly hosts: number;
  readonly version: string;
}

export interface PartitionRow {
  readonly partition: number;
  readonly schedulers: readonly string[];
}

export interface ImageHosts {
  readonly image: string;
  readonly parts: number;
  readonly bytes: number;
  readonly hosts: readonly {
    readonly hostId: string;
    readonly parts: number;
    readonly bytes: number;
    readonly complete: boolean;
  }[];
}

export interface AskedJob {
  readonly kind: string;
  readonly what: readonly string[];
  readonly targets?: Readonly<Record<string, unknown>>;
  readonly platform?: string;
  readonly pin?: { readonly copies?: number };
  readonly schedule?: { readonly cron: string };
}

export interface Job {
  readonly id: string;
  readonly kind: string;
  readonly state: string;
  readonly request: AskedJob;
  readonly by: string;
  readonly createdAtMs: number;
  readonly endedAtMs?: number;
  readonly progress?: {
    readonly hosts: number;
    readonly succeeded: number;
    readonly failed: number;
    readonly length: number;
    readonly doneBytes: number;
    readonly bytes: BytesBySource;
  };
  readonly error?: { readonly code: string; readonly message: string };
}

export interface JobHostRow {
  readonly hostId: string;
  readonly state: string;
  readonly doneBytes?: number;
  readonly bytes?: BytesBySource;
  readonly error?: { readonly code: string; readonly message: string };
}

export interface WhoAmI {
  readonly name: string;
  readonly scopes: readonly string[];
  readonly expiresAtMs?: number;
}

export interface SwarmEvent {
  readonly id: string;
  readonly type: string;
  readonly subject?: string;
  readonly time?: string;
  readonly data?: Readonly<Record<string, unknown>>;
}
