/**
 * One process in the exploration: the core, a driver that carries out its effects, and what the properties need to
 * remember. Its states are immutable and canonical, so that equal ones can be given one number.
 */
import type { Sha256, Ticks } from "../../../src/core/brand.ts";
import type {
  Configuration,
  Effect,
  HealingOptions,
  HealingState,
  Input,
  LocalView,
  Message,
  OpenPlan,
  Peer,
  RecordView,
} from "../../../src/core/healing/index.ts";
import { expire, initialState, step } from "../../../src/core/healing/index.ts";
import type { Ledger, StoredRecord } from "../../support/healing/ledger.ts";
import { hash, instance } from "../../support/healing/ledger.ts";
import type { Assignment, Member } from "./assignment.ts";
import { canonical, inAttempt, LINEAGE } from "./folding.ts";
import type { Happening, Local, Outcome, Sent } from "./local.ts";
import { checkPhase } from "./properties.ts";

export class Process {
  readonly name: string;
  readonly #member: Member;
  readonly #ledger: Ledger;
  readonly #options: HealingOptions;

  constructor(assignment: Assignment, member: Member, ledger: Ledger) {
    this.#member = member;
    this.#ledger = ledger;
    this.name = member.instance.slice(0, 1);
    this.#options = {
      lineage: LINEAGE,
      name: this.name,
      healDelayTicks: 1 as Ticks,
      retryTicks: 1 as Ticks,
      failoverTicks: (assignment.failover ? 1 : 0) as Ticks,
      attemptTicks: 1 as Ticks,
      digest: (bytes) => hash(new TextDecoder().decode(bytes)),
    };
  }

  /** Before anything happened. A survivor waits for its heal timer, a newcomer starts at once. */
  initial(): Outcome {
    const { held, live, term, index, secrets } = this.#member;
    const view: LocalView = {
      instance: instance(this.#member.instance),
      mode: held === undefined ? "recovery" : "ready",
      held: held === undefined ? undefined : this.view(hash(held)),
      secrets,
      group: held === undefined ? undefined : { id: hash("g1"), term, index, live },
    };
    const local: Local = {
      state: initialState(view),
      halted: [],
      readIn: 0,
      vote: undefined,
      sawLiveIn: 0,
      keys: [],
      renewals: 0,
    };
    return this.#speakIfLive(
      this.#run(local, (state) => step(this.#options, state, { kind: "observed", local: view })),
    );
  }

  /** What the process would see of a record. */
  view(at: Sha256): RecordView {
    return this.#ledger.view(at, this.#isEligible(this.#ledger.get(at)));
  }

  peer(local: Local): Peer {
    return { name: this.name, instance: local.state.local.instance };
  }

  /** The record that its present plan makes. */
  recordOf(local: Local, plan: OpenPlan): Sha256 {
    return this.#ledger.heal(plan, this.peer(local));
  }

  happen(local: Local, happening: Happening): Outcome {
    const { phase, check, known } = local.state;
    const input = (given: Input) => (state: HealingState) => step(this.#options, state, given);
    switch (happening.kind) {
      case "message": {
        const { from } = happening.sent;
        const { message } = inAttempt(happening.sent, local.state.attempt);
        return this.#run(this.#noteLive(local, message), input({ kind: "message", from, message }));
      }
      case "timer":
        return this.#run(local, (state) => expire(this.#options, state, happening.timer));
      case "head": {
        const request = phase.kind === "reading" ? phase.request : check;
        const observation = this.#observe(happening.head, known?.hash);
        const { attempt } = local.state;
        const readIn = phase.kind === "reading" ? attempt : local.readIn;
        return this.#run(
          { ...local, readIn },
          input({ kind: "head", request: request ?? 0, observation }),
        );
      }
      case "read-failed": {
        const request = phase.kind === "reading" ? phase.request : check;
        const observation = { kind: "unavailable" } as const;
        return this.#run(local, input({ kind: "head", request: request ?? 0, observation }));
      }
      case "committed":
        return this.#swapped(local, { kind: "committed", record: this.view(happening.record) });
      case "conflict": {
        const base = phase.kind === "opening" ? phase.plan.base.record.hash : undefined;
        return this.#swapped(local, {
          kind: "conflict",
          observation: this.#observe(happening.head, base),
        });
      }
      case "unknown":
        return this.#swapped(local, { kind: "unknown" });
      case "joined":
        return this.#become(local);
      case "outdated":
        return this.#run(
          local,
          input({ kind: "observed", local: { ...local.state.local, mode: "recovery" } }),
        );
    }
  }

  #swapped(local: Local, outcome: Extract<Input, { kind: "swapped" }>["outcome"]): Outcome {
    return this.#run(local, (state) => {
      const request = state.phase.kind === "opening" ? (state.phase.request ?? 0) : 0;
      return step(this.#options, state, { kind: "swapped", request, outcome });
    });
  }

  /** A member of the group that its phase aims at, as a new instance if it voted. */
  #become(local: Local): Outcome {
    const { phase, finalized, local: before } = local.state;
    if (phase.kind !== "joining") throw new Error("only a joiner joins");
    const isForeign = before.group !== undefined && before.group.id !== phase.target.group;
    const renew = finalized !== undefined || isForeign || phase.opener;
    const view: LocalView = {
      instance: renew ? instance(`${before.instance}+`) : before.instance,
      mode: "ready",
      held: this.view(phase.target.hash),
      secrets: "memory",
      group: { id: phase.target.group, term: 1, index: 1, live: true },
    };
    const renewals = local.renewals + (renew ? 1 : 0);
    return this.#speakIfLive(
      this.#run({ ...local, renewals }, (state) =>
        step(this.#options, state, { kind: "observed", local: view }),
      ),
    );
  }

  /** A member of a live group answers whoever asks; its answer is there from the beginning. */
  #speakIfLive(outcome: Outcome): Outcome {
    const { phase, local } = outcome.local.state;
    if (phase.kind !== "watching" || local.group?.live !== true || local.held === undefined) {
      return outcome;
    }
    const { hash: base, epoch, generation } = local.held;
    const header = { lineage: LINEAGE, base: { hash: base, epoch, generation }, attempt: 1 };
    const from = { name: "?", instance: instance("?") };
    const vote = { ...from, candidate: base, group: undefined, configurations: [] };
    const message: Message = { kind: "vote", header, vote };
    const asked = step(this.#options, outcome.local.state, { kind: "message", from, message });
    const answers = asked.effects.flatMap((effect) =>
      effect.kind === "send"
        ? [
            {
              from: this.peer(outcome.local),
              to: undefined,
              message: effect.message,
              standing: true,
            },
          ]
        : [],
    );
    return { ...outcome, sent: [...outcome.sent, ...answers] };
  }

  /** Takes a step of the core and carries out what it asks for, until nothing is left to do at once. */
  #run(
    start: Local,
    first: (state: HealingState) => { state: HealingState; effects: readonly Effect[] },
  ): Outcome {
    const sent: Sent[] = [];
    const broken: string[] = [];
    const seen: string[] = [];
    let requested = false;
    let opened: RecordView | undefined;
    let local = start;
    const take = (next: { state: HealingState; effects: readonly Effect[] }): void => {
      local = { ...local, state: next.state };
      for (const effect of next.effects) {
        switch (effect.kind) {
          case "send": {
            const message = keep(effect.message);
            if (message !== undefined) {
              const { name, instance: to } = effect.to;
              const isVote = message.kind === "vote" && to !== undefined;
              const peer = isVote ? { name, instance: to } : undefined;
              sent.push({ from: this.peer(local), to: peer, message, standing: false });
            } else {
              seen.push(effect.message.kind);
            }
            break;
          }
          case "halt": {
            const halted = new Set([...local.halted, local.state.local.instance]);
            local = { ...local, halted: [...halted].sort() };
            const { group, instance: own } = local.state.local;
            const remains = {
              group: group?.id,
              configurations:
                own === this.#member.instance
                  ? this.#member.configurations
                  : this.#openedConfigurations(group?.id),
            };
            take(step(this.#options, local.state, { kind: "halted", remains }));
            break;
          }
          case "read-head":
            requested = true;
            break;
          case "swap": {
            requested = true;
            const record = this.recordOf(local, effect.plan);
            const { meshCaKey } = effect.plan;
            if (local.keys.some(([key, other]) => key === meshCaKey && other !== record)) {
              broken.push("one mesh CA key in two records");
            }
            if (!local.keys.some(([key]) => key === meshCaKey)) {
              local = { ...local, keys: [...local.keys, [meshCaKey, record]] };
            }
            break;
          }
          case "open":
            opened = effect.record;
            break;
          case "report":
            if (effect.event.kind === "rollback") {
              seen.push(effect.event.kind);
            }
            break;
          case "end":
            seen.push("ended");
            break;
          case "recover":
          case "stop-recovering":
            break;
        }
      }
    };
    take(first(local.state));
    const vote = voteOf(local.state) ?? start.vote;
    local = { ...local, vote };
    broken.push(...checkPhase(start, local, sent));
    if (opened !== undefined && !this.#ledger.has(opened.hash)) {
      broken.push("a group was opened that the store does not have");
    } else if (opened !== undefined && local.state.phase.kind === "joining") {
      const renewed = this.#become(local);
      sent.push(...renewed.sent);
      local = renewed.local;
    }
    return {
      local: { ...local, state: canonical(local.state) },
      sent,
      requested,
      opened,
      broken,
      seen,
    };
  }

  /** What a member of a group that a heal opened has in its log: the opener alone, as its new instance. */
  #openedConfigurations(group: Sha256 | undefined): readonly Configuration[] {
    if (group === undefined) return [];
    const { opener } = this.#ledger.get(group);
    return [{ voters: [instance(`${opener.instance}+`)], outgoing: [] }];
  }

  #observe(head: Sha256, known: Sha256 | undefined) {
    return this.#ledger.observe(head, known, (record) => this.#isEligible(record));
  }

  #isEligible(record: StoredRecord): boolean {
    return (record.generation as number) < this.#member.ineligibleFrom;
  }

  /** Judged on its own, without the core's help: is this a live group of the newest head that was read? */
  #noteLive(local: Local, message: Message): Local {
    const { phase, attempt, known } = local.state;
    if (message.kind !== "claim" || phase.kind !== "gathering" || known === undefined) return local;
    const { live, group, record, name } = message.claim;
    const isProof = live && group === known.group && record === known.hash;
    if (!isProof || !known.names.includes(name)) return local;
    return { ...local, sawLiveIn: attempt };
  }
}

/** What of a message is kept: refusals only lead to a report, and `opened` is announced by the system. */
function keep(message: Message): Message | undefined {
  return message.kind === "opened" || message.kind === "refused" ? undefined : message;
}

/** The vote that a state stands for. */
function voteOf(state: HealingState): Local["vote"] {
  const { phase, attempt, local } = state;
  if (phase.kind === "voted") return { attempt, digest: phase.candidate.digest };
  if (phase.kind !== "opening") return undefined;
  const own = phase.plan.votes.find((vote) => vote.instance === local.instance);
  return own === undefined ? undefined : { attempt, digest: own.candidate };
}
