/**
 * Preloaded (`--import`) into a coordinator that another Quorate process started: it ends when that process has gone,
 * in whatever way, since nobody else knows of it. The channel between the two carries no message; its end is the news.
 */
import process from "node:process";

const end = (): void => {
  // As if the parent had asked: running calls finish. Before there is a handler, this ends the process at once.
  process.kill(process.pid, "SIGTERM");
};

process.once("disconnect", end);
// Watching the parent is no reason to stay.
process.channel?.unref();
// It may have gone before we looked.
if (!process.connected) end();
