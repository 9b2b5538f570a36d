/**
 * A network that loses, delays, duplicates and re-orders. It connects places (machines); which process of a place a
 * message is for is the affair of the caller. Nothing here knows what the messages say.
 */
import type { Prng } from "../../../src/core/prng.ts";

/** A machine's number, from 0. */
export type Place = number;

/** One direction of a connection. */
export interface Direction {
  readonly from: Place;
  readonly to: Place;
}

/** How a link treats messages. Rates are probabilities, times are microseconds. */
export interface LinkQuality {
  readonly delayMicros: number;
  /** Up to this much is added to each delay, evenly drawn: enough to re-order what follows closely. */
  readonly jitterMicros: number;
  readonly lossRate: number;
  readonly duplicateRate: number;
  /** Of messages that take a long detour of up to `detourMicros`; second copies always do. */
  readonly detourRate: number;
  readonly detourMicros: number;
}

/** A message under way. */
export interface Transmission<M> extends Direction {
  readonly message: M;
  /** True for the second of two, which takes a detour. */
  readonly isCopy: boolean;
  /** Number on its link, by the order of sending; a duplicate repeats it. */
  readonly order: number;
}

/** What happened to the messages of one kind. */
export interface KindCounts {
  sent: number;
  delivered: number;
  dropped: number;
  duplicated: number;
  /** Delivered after one that was sent later on the same link. */
  reordered: number;
}

/** What the network needs from its surroundings. */
export interface NetworkOptions<M> {
  readonly places: number;
  readonly prng: Prng;
  readonly quality: LinkQuality;
  /** Must bring the transmission to {@link VirtualNetwork.arrive} after the delay. */
  readonly schedule: (delayMicros: number, transmission: Transmission<M>) => void;
}

/** All links between all places, a place's link to itself included. */
export class VirtualNetwork<M extends { readonly type: string }> {
  readonly counts = new Map<string, KindCounts>();
  readonly #options: NetworkOptions<M>;
  readonly #links: Link<M>[];

  constructor(options: NetworkOptions<M>) {
    this.#options = options;
    this.#links = Array.from({ length: options.places ** 2 }, () => ({
      quality: options.quality,
      cuts: 0,
      clogs: 0,
      held: [],
      sent: 0,
      newestArrived: -1,
    }));
  }

  /** Sends a message; it arrives never, once or twice. */
  send(from: Place, to: Place, message: M): void {
    const link = this.#link({ from, to });
    const counts = this.#countsOf(message);
    const { prng } = this.#options;
    counts.sent++;
    if (link.cuts > 0 || prng.chance(link.quality.lossRate)) {
      counts.dropped++;
      return;
    }
    const transmission = { from, to, message, isCopy: false, order: link.sent++ };
    this.#forward(link, transmission);
    if (link.quality.duplicateRate > 0 && prng.chance(link.quality.duplicateRate)) {
      counts.duplicated++;
      this.#forward(link, { ...transmission, isCopy: true });
    }
  }

  /** The message of a transmission whose time has come; undefined if a cut swallowed it meanwhile. */
  arrive(transmission: Transmission<M>): M | undefined {
    const link = this.#link(transmission);
    const counts = this.#countsOf(transmission.message);
    if (link.cuts > 0) {
      counts.dropped++;
      return undefined;
    }
    counts.delivered++;
    if (transmission.order < link.newestArrived) counts.reordered++;
    else link.newestArrived = transmission.order;
    return transmission.message;
  }

  /** Nothing passes any more, in this direction, until as many {@link mend}s as cuts. */
  cut(direction: Direction): void {
    this.#link(direction).cuts++;
  }

  mend(direction: Direction): void {
    this.#link(direction).cuts--;
  }

  /** Holds everything back until as many {@link unclog}s; nothing is lost. */
  clog(direction: Direction): void {
    this.#link(direction).clogs++;
  }

  unclog(direction: Direction): void {
    const link = this.#link(direction);
    link.clogs--;
    if (link.clogs > 0) return;
    for (const transmission of link.held.splice(0)) this.#forward(link, transmission);
  }

  /** Sets how the links of one direction treat messages from now on. */
  setQuality(direction: Direction, quality: LinkQuality): void {
    this.#link(direction).quality = quality;
  }

  /** Every direction between two different places. */
  directions(): Direction[] {
    const places = Array.from({ length: this.#options.places }, (_, place) => place);
    return places.flatMap((from) => places.filter((to) => to !== from).map((to) => ({ from, to })));
  }

  /** Ends every cut and clog, and gives every link this quality. */
  calm(quality: LinkQuality): void {
    for (const link of this.#links) {
      link.quality = quality;
      link.cuts = 0;
      link.clogs = 0;
      for (const transmission of link.held.splice(0)) this.#forward(link, transmission);
    }
  }

  #forward(link: Link<M>, transmission: Transmission<M>): void {
    if (link.clogs > 0) {
      link.held.push(transmission);
      return;
    }
    const { prng, schedule } = this.#options;
    const { delayMicros, jitterMicros, detourRate, detourMicros } = link.quality;
    let delay = delayMicros + Math.floor(prng.float() * jitterMicros);
    if (transmission.isCopy || (detourRate > 0 && prng.chance(detourRate))) {
      delay += prng.int(0, detourMicros);
    }
    schedule(delay, transmission);
  }

  #link({ from, to }: Direction): Link<M> {
    return this.#links[from * this.#options.places + to]!;
  }

  #countsOf({ type }: M): KindCounts {
    let counts = this.counts.get(type);
    if (counts === undefined) {
      counts = { sent: 0, delivered: 0, dropped: 0, duplicated: 0, reordered: 0 };
      this.counts.set(type, counts);
    }
    return counts;
  }
}

interface Link<M> {
  quality: LinkQuality;
  cuts: number;
  clogs: number;
  held: Transmission<M>[];
  sent: number;
  newestArrived: number;
}
