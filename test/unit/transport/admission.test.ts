import { describe, expect, it } from "vitest";
import { Admission, addressGroup, Place } from "../../../src/transport/admission.ts";

const limits = {
  handshakesMax: 3,
  handshakesPerSecondMax: 100,
  handshakeBurstMax: 2,
  strangersPerAddressMax: 2,
};

function enter(admission: Admission, address: string): Place {
  const place = admission.enter(address);
  if (!(place instanceof Place)) throw new Error(`rejected: ${place}`);
  return place;
}

describe("admission", () => {
  it("gives an address so many places, and takes them back once", () => {
    const admission = new Admission(limits);
    const first = enter(admission, "10.0.0.1");
    enter(admission, "10.0.0.1");
    expect(admission.enter("10.0.0.1")).toBe("address");
    enter(admission, "10.0.0.2");
    first.leave();
    first.leave();
    first.settle();
    enter(admission, "10.0.0.1");
    expect(admission.enter("10.0.0.1")).toBe("handshakes");
  });

  it("counts a stranger whose handshake is over for its address only", () => {
    const admission = new Admission({ ...limits, handshakesMax: 1 });
    const settled = enter(admission, "10.0.0.1");
    settled.settle();
    expect(admission.handshakes).toBe(0);
    enter(admission, "10.0.0.1").settle();
    expect(admission.enter("10.0.0.1")).toBe("address");
    settled.leave();
    expect(admission.handshakes).toBe(0);
    enter(admission, "10.0.0.1");
  });

  it("lets a burst start at once and the rest at the rate, in order", async () => {
    const admission = new Admission(limits);
    const signal = new AbortController().signal;
    const started = performance.now();
    const order: number[] = [];
    await Promise.all(
      [0, 1, 2, 3, 4, 5].map(async (i) => {
        await admission.turn(signal);
        order.push(i);
      }),
    );
    expect(order).toEqual([0, 1, 2, 3, 4, 5]);
    // Two at once, four more at 10 ms each; timers may be a millisecond early.
    expect(performance.now() - started).toBeGreaterThanOrEqual(35);
  });

  it("gives up waiting for the reason that ends the handshake", async () => {
    const admission = new Admission({ ...limits, handshakesPerSecondMax: 0.001 });
    const stop = new AbortController();
    await admission.turn(stop.signal);
    await admission.turn(stop.signal);
    const waiting = admission.turn(stop.signal);
    stop.abort(new Error("the client left"));
    await expect(waiting).rejects.toThrow("the client left");
  });

  it.each([
    ["192.0.2.1", "192.0.2.1"],
    ["::ffff:192.0.2.1", "192.0.2.1"],
    ["2001:db8:1:2:3:4:5:6", "20010db800010002/64"],
    ["2001:db8:1:2::9", "20010db800010002/64"],
    ["2001:db8::9", "20010db800000000/64"],
    ["::1", "0000000000000000/64"],
    ["fe80::1%eth0", "fe80000000000000/64"],
    ["2001:db8::1:2:3:4:5", "20010db800000001/64"],
  ])("counts %s as %s", (address, group) => {
    expect(addressGroup(address)).toBe(group);
  });
});
