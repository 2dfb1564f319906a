import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { startChild, until } from './child.ts';

/**
 * Keeps the payload of each TCP packet of the loopback device that goes to or comes from one of the ports, in the order
 * of arrival, and tells at its end how many packets it had no time for.
 */
const SCRIPT = `
import socket, struct, sys, signal
ports, out = set(map(int, sys.argv[2:])), open(sys.argv[1], 'wb')
tap = socket.socket(socket.AF_PACKET, socket.SOCK_DGRAM, socket.htons(0x0800))
tap.setsockopt(socket.SOL_SOCKET, 33, 256 * 1024 * 1024)
tap.bind(('lo', 0x0800))
def end(*_):
    _, dropped = struct.unpack('II', tap.getsockopt(263, 6, 8))
    out.close()
    print('dropped', dropped, flush=True)
    sys.exit(0)
signal.signal(signal.SIGTERM, end)
print('listening', flush=True)
while True:
    packet, address = tap.recvfrom(262144)
    if address[2] == 4 or packet[9] != 6: continue
    at = (packet[0] & 15) * 4
    source, target = struct.unpack_from('>HH', packet, at)
    if source in ports or target in ports:
        out.write(packet[at + (packet[at + 12] >> 4) * 4:])
`;

/** What passed over the loopback device on some ports. */
export interface WireTap extends AsyncDisposable {
  /** Ends it; returns all that passed. @throws Error where it missed a packet */
  end(): Promise<Buffer>;
}

/** Listens on the wire from now on; needs the right to open raw sockets. */
export async function startWireTap(ports: readonly number[]): Promise<WireTap> {
  const dir = mkdtempSync(join(tmpdir(), 'shoal-tap-'));
  const [passed, log] = [join(dir, 'passed'), join(dir, 'log')];
  const child = startChild(['python3', '-c', SCRIPT, passed, ...ports.map(String)], log);
  const said = () => readFileSync(log, 'utf8');
  await until('the tap to listen', async () => {
    if (!child.running) throw new Error(`the tap ended: ${said()}`);
    return said().includes('listening') || undefined;
  });
  return {
    async end() {
      await child.stop();
      if (!said().includes('dropped 0\n')) throw new Error(`the tap missed packets: ${said()}`);
      return readFileSync(passed);
    },
    async [Symbol.asyncDispose]() {
      await child.stop();
      rmSync(dir, { recursive: true, force: true });
    },
  };
}
