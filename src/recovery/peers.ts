/** All links to other coordinators: one for each address that discovery gives. */
import type { Discovery } from "./discovery.ts";
import { PeerLink, type PeerLinkPorts } from "./peer-link.ts";

/** Follows discovery until it is closed. */
export class Peers {
  readonly #discovery: Discovery;
  readonly #ports: PeerLinkPorts;
  readonly #links = new Map<string, PeerLink>();
  /** Links on their way out. */
  readonly #leaving = new Set<Promise<void>>();
  readonly #listeners = new Set<() => void>();
  #closed: Promise<void> | undefined;

  /** @param discovery becomes this object's, which closes it. */
  constructor(discovery: Discovery, ports: PeerLinkPorts) {
    this.#discovery = discovery;
    this.#ports = ports;
    discovery.onChange(() => this.#follow());
    this.#follow();
  }

  /**
   * The links to others, connected or not, in the order of discovery; addresses that lead to this very process are left
   * out. Several may lead to one instance, or to an old and a new instance of one name.
   */
  list(): readonly PeerLink[] {
    return [...this.#links.values()].filter((link) => !link.isSelf);
  }

  /**
   * Calls `listener`, which must not throw, after every change: a session opened or lost, a standing, a problem, an address.
   *
   * @returns a function that ends it
   */
  onChange(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** Links that wait before their next attempt try at once: something says that a peer may be back. */
  nudge(): void {
    for (const link of this.#links.values()) link.nudge();
  }

  /** Ends discovery and all links; nothing of them is open afterwards. Idempotent. */
  close(): Promise<void> {
    return (this.#closed ??= this.#close());
  }

  async #close(): Promise<void> {
    this.#listeners.clear();
    this.#discovery.close();
    for (const [address, link] of this.#links) this.#leave(address, link);
    await Promise.all(this.#leaving);
  }

  #follow(): void {
    const addresses = this.#discovery.addresses();
    const before = new Map(this.#links);
    this.#links.clear();
    for (const address of addresses) {
      const link = before.get(address) ?? new PeerLink(address, this.#ports, () => this.#notify());
      before.delete(address);
      this.#links.set(address, link);
    }
    for (const [address, link] of before) this.#leave(address, link);
    this.#notify();
  }

  #leave(address: string, link: PeerLink): void {
    this.#links.delete(address);
    const left: Promise<void> = link.close().finally(() => this.#leaving.delete(left));
    this.#leaving.add(left);
  }

  #notify(): void {
    for (const listener of this.#listeners) listener();
  }
}
