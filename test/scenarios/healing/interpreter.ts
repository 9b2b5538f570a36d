/** The commands of healing scenarios: each orders something in a world and gives what was written down meanwhile. */
import type { HealingPolicy, Secrets } from "../../../src/core/healing/index.ts";
import { SimpleGroups } from "../../support/healing/groups.ts";
import { hash, instance } from "../../support/healing/ledger.ts";
import type { SwapFault } from "../../support/healing/world.ts";
import { World } from "../../support/healing/world.ts";
import type { Argument, Case } from "../raft/runner/case-file.ts";
import { parseCommand } from "../raft/runner/case-file.ts";

/** Runs the cases of one file in order, in one world. */
export class Interpreter {
  #world: World | undefined;
  #groups: SimpleGroups | undefined;
  #swapFault: SwapFault = "answered";
  #shown = 0;

  /** Runs every line of a case. @returns what happened, or `ok` */
  run(one: Case): string {
    const shown = [one.text, ...one.input].flatMap((line) => {
      const { command, args } = parseCommand(line);
      return this.#run(command, args);
    });
    return shown.length === 0 ? "ok" : shown.join("\n");
  }

  #run(command: string, args: readonly Argument[]): readonly string[] {
    if (command === "world") {
      this.#create(args);
      return [];
    }
    if (this.#world === undefined || this.#groups === undefined) throw new Error("no world yet");
    const world = this.#world;
    const [first = "", second = ""] = args.map(({ key }) => key);
    switch (command) {
      case "group":
        this.#groups.found(
          world.head,
          args.map(({ key }) => instance(key)),
        );
        break;
      case "start":
        this.#start(world, args);
        break;
      case "update":
        world.update(valuesOf(args, "names"));
        break;
      case "crash":
        for (const { key } of args) world.crash(instance(key));
        break;
      case "cut":
      case "mend":
        if (second === "store") world.storeLink(instance(first), command === "mend");
        else this.#link(world, args, command === "mend");
        break;
      case "store":
        this.#orderStore(world, first);
        break;
      case "head":
        world.head = hash(first);
        break;
      case "elections":
        this.#groups.mayElect = first === "on";
        break;
      case "run":
        world.run(Number(first));
        break;
      case "status":
        return [...this.#news(world), ...world.status(), `store: ${world.head}`];
      default:
        throw new Error(`unknown command ${command}`);
    }
    if (world.broken.length > 0) throw new Error(world.broken.join("; "));
    return this.#news(world);
  }

  #create(args: readonly Argument[]): void {
    const [policy = "survivors"] = valuesOf(args, "policy") ?? [];
    const [failover = "20"] = valuesOf(args, "failover") ?? [];
    this.#world = new World(
      {
        names: valuesOf(args, "names") ?? [],
        policy: policy as HealingPolicy,
        failoverTicks: Number(failover),
        swapFault: () => this.#swapFault,
      },
      (self) => (this.#groups = new SimpleGroups((a, b) => self.isLinked(a, b))),
    );
  }

  #start(world: World, args: readonly Argument[]): void {
    const [held] = valuesOf(args, "holds") ?? [];
    const [secrets] = valuesOf(args, "secrets") ?? [];
    const [excluded = "Infinity"] = valuesOf(args, "excluded-from") ?? [];
    world.start(instance(args[0]?.key ?? ""), {
      held: held === undefined ? undefined : hash(held),
      ineligibleFrom: Number(excluded),
      ...(secrets === undefined ? {} : { secrets: secrets as Secrets }),
    });
  }

  /** The first instance's links to all the others that are named. */
  #link(world: World, [from, ...to]: readonly Argument[], isUp: boolean): void {
    for (const { key } of to) world.link(instance(from?.key ?? ""), instance(key), isUp);
  }

  #orderStore(world: World, order: string): void {
    if (order === "up" || order === "down") world.isStoreUp = order === "up";
    else this.#swapFault = order as SwapFault;
  }

  #news(world: World): readonly string[] {
    const news = world.lines.slice(this.#shown);
    this.#shown = world.lines.length;
    return news;
  }
}

function valuesOf(args: readonly Argument[], key: string): readonly string[] | undefined {
  return args.find((argument) => argument.key === key)?.values;
}
