/** Virtual time: what happens next, in the order of time, and of asking where times are equal. */

/** A queue of future events. Time passes only by taking the next one, so a run never waits for anything. */
export class Schedule<Event> {
  /** A binary heap; the earliest slot is first. */
  readonly #slots: Slot<Event>[] = [];
  #now = 0;
  #order = 0;

  /** Virtual microseconds since the start. */
  get now(): number {
    return this.#now;
  }

  /** Events that wait. */
  get size(): number {
    return this.#slots.length;
  }

  /** Adds an event that happens `delayMicros` from now, at once if that is not positive. */
  after(delayMicros: number, event: Event): void {
    const time = this.#now + Math.max(0, delayMicros);
    const slot = { time, order: this.#order++, event };
    const slots = this.#slots;
    let at = slots.length;
    slots.push(slot);
    while (at > 0) {
      const parent = (at - 1) >> 1;
      if (!isBefore(slot, slots[parent]!)) break;
      slots[at] = slots[parent]!;
      at = parent;
    }
    slots[at] = slot;
  }

  /** Takes the next event and moves time to it; undefined if there is none. */
  next(): Event | undefined {
    const slots = this.#slots;
    const first = slots[0];
    const last = slots.pop();
    if (first === undefined || last === undefined) return undefined;
    if (slots.length > 0) this.#sink(last);
    this.#now = first.time;
    return first.event;
  }

  #sink(slot: Slot<Event>): void {
    const slots = this.#slots;
    const half = slots.length >> 1;
    let at = 0;
    while (at < half) {
      let child = 2 * at + 1;
      if (child + 1 < slots.length && isBefore(slots[child + 1]!, slots[child]!)) child++;
      if (!isBefore(slots[child]!, slot)) break;
      slots[at] = slots[child]!;
      at = child;
    }
    slots[at] = slot;
  }
}

interface Slot<Event> {
  readonly time: number;
  readonly order: number;
  readonly event: Event;
}

function isBefore(a: Slot<unknown>, b: Slot<unknown>): boolean {
  return a.time < b.time || (a.time === b.time && a.order < b.order);
}
