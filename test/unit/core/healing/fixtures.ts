/** One process of healing under test, with a short way to everything that it needs. */
import type { Ticks } from "../../../../src/core/brand.ts";
import type {
  Claim,
  Effect,
  HeadObservation,
  HealingOptions,
  HealingState,
  Input,
  LocalView,
  Message,
} from "../../../../src/core/healing/index.ts";
import { claimBytes, initialState, step } from "../../../../src/core/healing/index.ts";
import { hash, instance, Ledger } from "../../../support/healing/ledger.ts";

export const LINEAGE = hash("lineage");
export const RETRY = 2;
export const FAILOVER = 20;
export const ATTEMPT = 30;

/** Records g1 and g2 of coordinators a, b and c. */
export function records(policy: "off" | "survivors" | "sealed" = "survivors"): Ledger {
  const ledger = new Ledger(["a", "b", "c"], policy);
  ledger.update(hash("g1"));
  return ledger;
}

/** A claim of a survivor that holds g2, unless said otherwise. */
export function claim(change: Partial<Claim> = {}): Claim {
  return {
    name: "b",
    instance: instance("b1"),
    secrets: "memory",
    eligible: true,
    epoch: 1,
    generation: 2,
    record: hash("g2"),
    group: hash("g1"),
    term: 3,
    index: 7,
    live: false,
    ...change,
  };
}

/** The process `a1`, which survived with g2 in a group that lost its leader. */
export class Subject {
  readonly ledger: Ledger;
  readonly options: HealingOptions;
  state: HealingState;
  /** Of the last input. */
  effects: readonly Effect[] = [];

  constructor(ledger = records(), change: Partial<LocalView> = {}, failoverTicks = FAILOVER) {
    this.ledger = ledger;
    this.options = {
      lineage: LINEAGE,
      name: "a",
      healDelayTicks: 10 as Ticks,
      retryTicks: RETRY as Ticks,
      failoverTicks: failoverTicks as Ticks,
      attemptTicks: ATTEMPT as Ticks,
      digest: (bytes) => hash(new TextDecoder().decode(bytes)),
    };
    this.state = initialState(this.view(change));
    this.give({ kind: "observed", local: this.view(change) });
  }

  view(change: Partial<LocalView> = {}): LocalView {
    return {
      instance: instance("a1"),
      mode: "ready",
      held: this.ledger.view(hash("g2"), true),
      secrets: "memory",
      group: { id: hash("g1"), term: 3, index: 5, live: false },
      ...change,
    };
  }

  give(input: Input): readonly Effect[] {
    const { state, effects } = step(this.options, this.state, input);
    this.state = state;
    this.effects = effects;
    return effects;
  }

  wait(ticks: number): readonly Effect[] {
    return this.give({ kind: "tick", now: (this.state.now + ticks) as Ticks });
  }

  observes(change: Partial<LocalView>): readonly Effect[] {
    return this.give({ kind: "observed", local: this.view(change) });
  }

  /** The heal delay passes and the head read is answered. */
  gather(head = "g2"): readonly Effect[] {
    this.wait(10);
    return this.answerRead(head);
  }

  answerRead(head: string): readonly Effect[] {
    const { known } = this.state;
    return this.answer(this.ledger.observe(hash(head), known?.hash, () => true));
  }

  answer(observation: HeadObservation): readonly Effect[] {
    return this.give({ kind: "head", request: this.state.requests, observation });
  }

  hears(theirs: Claim, attempt = this.state.attempt): readonly Effect[] {
    const { name, instance: from } = theirs;
    return this.receives(name, from, {
      kind: "claim",
      header: this.header(attempt),
      claim: theirs,
    });
  }

  /** A vote for this process's own claim of its present attempt. */
  isVotedForBy(name: string, from = `${name}1`, attempt = this.state.attempt): readonly Effect[] {
    const header = this.header(attempt);
    const own = claim({ name: "a", instance: instance("a1"), index: 5 });
    const vote = {
      name,
      instance: instance(from),
      candidate: this.options.digest(claimBytes(header, own)),
      group: hash("g1"),
      configurations: [{ voters: ["a1", "b1", "c1"].map(instance), outgoing: [] }],
    };
    return this.receives(name, instance(from), { kind: "vote", header, vote });
  }

  receives(name: string, from: string, message: Message): readonly Effect[] {
    return this.give({ kind: "message", from: { name, instance: instance(from) }, message });
  }

  halted(): readonly Effect[] {
    const configurations = [{ voters: ["a1", "b1", "c1"].map(instance), outgoing: [] }];
    return this.give({ kind: "halted", remains: { group: hash("g1"), configurations } });
  }

  header(attempt: number, base = "g2") {
    const { hash: name, epoch, generation } = this.ledger.get(hash(base));
    return { lineage: LINEAGE, base: { hash: name, epoch, generation }, attempt };
  }

  /** Kinds of the last effects; of messages also their kind. */
  kinds(): string[] {
    return this.effects.map((effect) =>
      effect.kind === "send" ? `send ${effect.message.kind}` : effect.kind,
    );
  }
}
