// A process that swaps the head of a store as fast as it can, until it is killed or has won often enough.
// Arguments: compiled open-store module, store, author, number of swaps to win (0: no end).
// Prints `ready`, then a line for everything that the store promised: `document HASH`, `committed HASH`,
// `conflict`, `unknown`.
import { createHash, randomBytes } from "node:crypto";
import { writeSync } from "node:fs";

const [module, specification, author, wanted] = process.argv.slice(2);
const { openStore } = await import(module);
const sha256 = (bytes) => createHash("sha256").update(bytes).digest("hex");
// Synchronously: a promise that was printed was made, whenever the kill comes.
const print = (line) => writeSync(1, `${line}\n`);

const store = await openStore(specification);
print("ready");
let won = 0;
for (let sequence = 0; wanted === "0" || won < Number(wanted); sequence++) {
  const head = await store.readHead();
  const document = await store.putDocument(randomBytes(3000));
  print(`document ${document}`);
  const record = Buffer.from(
    JSON.stringify({ author, sequence, predecessor: head ? sha256(head.value) : null, document }),
  );
  const swap = await store.swapHead(head, record);
  print(swap.outcome === "committed" ? `committed ${sha256(record)}` : swap.outcome);
  if (swap.outcome === "committed") won++;
}
await store.close();
