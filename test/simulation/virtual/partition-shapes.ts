/** The ways in which a network falls apart, each as the directions that carry nothing. */
import type { Prng } from "../../../src/core/prng.ts";
import type { Direction, Place } from "./network.ts";

/**
 * `halves`: two sides; `one-out`: one place alone; `deaf`: one place hears nobody but is heard; `mute`: the reverse;
 * `bridge`: two sides that only one place reaches both of; `hub`: everybody reaches one place only;
 * `chain`: everybody reaches the neighbours only; `pair`: one link; `one-way`: one direction of one link.
 */
export const PARTITION_SHAPES = [
  "halves",
  "one-out",
  "deaf",
  "mute",
  "bridge",
  "hub",
  "chain",
  "pair",
  "one-way",
] as const;

export type PartitionShape = (typeof PARTITION_SHAPES)[number];

/** The directions that a partition of this shape cuts among `places` (0 up to it); nothing for a single place. */
export function partition(shape: PartitionShape, places: number, prng: Prng): Direction[] {
  const order = shuffled(places, prng);
  const at = new Map(order.map((place, position) => [place, position]));
  const position = (place: Place): number => at.get(place) ?? 0;
  const split = prng.int(1, Math.max(1, places - 1));
  const cuts = (carries: (from: number, to: number) => boolean): Direction[] =>
    order.flatMap((from) =>
      order
        .filter((to) => to !== from && !carries(position(from), position(to)))
        .map((to) => ({ from, to })),
    );
  switch (shape) {
    case "halves":
      return cuts((from, to) => from < split === to < split);
    case "one-out":
      return cuts((from, to) => from !== 0 && to !== 0);
    case "deaf":
      return cuts((_, to) => to !== 0);
    case "mute":
      return cuts((from) => from !== 0);
    case "bridge":
      return cuts((from, to) => from === 0 || to === 0 || from < split === to < split);
    case "hub":
      return cuts((from, to) => from === 0 || to === 0);
    case "chain":
      return cuts((from, to) => Math.abs(from - to) === 1);
    case "pair":
      return cuts((from, to) => from + to !== 1);
    case "one-way":
      return cuts((from, to) => from !== 0 || to !== 1);
  }
}

function shuffled(places: number, prng: Prng): Place[] {
  const order = Array.from({ length: places }, (_, place) => place);
  for (let at = places - 1; at > 0; at--) {
    const other = prng.int(0, at);
    [order[at], order[other]] = [order[other]!, order[at]!];
  }
  return order;
}
