import type { HostAddress } from '../core/host.ts';
import type { Logger } from '../core/logger.ts';
import { addressToward, defaultRouteAddress, isLoopback } from './advertise.ts';
import type { HostConfig } from './config.ts';

/** The address that other hosts are given. */
export class Advertised {
  ip: string;
  readonly #fixed: boolean;
  readonly #log: Logger;

  private constructor(ip: string, fixed: boolean, log: Logger) {
    this.ip = ip;
    this.#fixed = fixed;
    this.#log = log;
  }

  /** As configured, else the local address of the route to NATS. */
  static async find(config: HostConfig, log: Logger): Promise<Advertised> {
    if (config.advertise !== undefined) return new Advertised(config.advertise, true, log);
    return new Advertised(await addressToward(config.nats?.servers[0]), false, log);
  }

  /** A loopback address is of no use in a swarm that is on other machines too. */
  compare(book: readonly HostAddress[]): void {
    if (this.#fixed || !isLoopback(this.ip) || book.every(({ ip }) => isLoopback(ip))) return;
    void defaultRouteAddress().then((ip) => {
      if (ip === this.ip) return;
      this.#log.info({ from: this.ip, to: ip }, 'the swarm is not on loopback; advertising another address');
      this.ip = ip;
    });
  }
}
